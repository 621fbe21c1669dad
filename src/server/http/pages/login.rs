//! The login page: one button per provider.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};

use crate::{
    paths,
    server::{
        http::{current_session, redirect::see_other, render::Renderer, request::Parameters},
        problem::Problem,
        provider::{Availability, Provider},
        session::Found,
        sign_in::{
            RequestContext,
            return_to::ReturnTo,
            start::{Prompt, Start, login_page},
        },
        state::App,
    },
    view,
};

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route(paths::LOGIN, get(login)).route("/login", get(alias))
}

/// `GET /auth/login`
async fn login(
    State(app): State<Arc<App>>,
    renderer: Renderer,
    context: RequestContext,
    parameters: Parameters,
) -> Response {
    let return_to = app.sign_in.return_to(parameters.return_to.as_deref());
    let found = current_session::find(&app, &context).await;
    // The login page is shown even if the store is unavailable.
    let account = match &found {
        Ok(Found::SignedIn(person)) => Some(current_session::shown_name(person).to_owned()),
        Ok(Found::Nobody | Found::Ended | Found::Disabled) | Err(_) => None,
    };
    let choices = choices(&app, &return_to, parameters.prompt());
    let onward = return_to.site(&app.gate.applications).map(|site| site.name().to_owned());
    let page = view::Login { choices, account, onward };
    renderer.page(StatusCode::OK, |shell| view::login(shell, &page))
}

/// A provider that answers wrongly is not one that is away; unless it has answered rightly before, and something in front of it
/// answers now.
fn works(provider: &Provider) -> view::Works {
    match provider.availability() {
        Availability::Available => view::Works::Yes,
        Availability::Unavailable { code, .. } => match Problem::from_code(code) {
            Some(problem) if problem.is_for_the_operator_alone() && !provider.is_known() => view::Works::Misconfigured,
            _ => view::Works::NotNow,
        },
    }
}

fn choices(app: &App, return_to: &ReturnTo, prompt: Prompt) -> Vec<view::Choice> {
    let choice = |provider: &Arc<Provider>| {
        let start = Start { prompt, ..Start::new(provider.id().clone(), return_to.clone()).clicked() };
        view::Choice { name: provider.name().to_owned(), start: start.path(), works: works(provider) }
    };
    app.providers.iter().map(choice).collect()
}

/// `GET /login`, where Vestibule owns the host.
async fn alias(State(app): State<Arc<App>>, parameters: Parameters) -> Response {
    let return_to = app.sign_in.return_to(parameters.return_to.as_deref());
    see_other(&login_page(&return_to))
}
