//! The signed-in person's page.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, request::Parts},
    response::Response,
    routing::get,
};
use time::format_description::well_known::Rfc3339;

use super::sign_in;
use crate::{
    paths,
    server::{
        application::Site,
        failure_log::Said,
        http::{
            current_session,
            redirect::see_other,
            render::Renderer,
            request::{Parameters, named_client},
        },
        limits,
        problem::Problem,
        session::{Found, SignedIn},
        sign_in::{
            Failure, RequestContext,
            return_to::ReturnTo,
            start::{Prompt, Start, login_page},
        },
        state::App,
    },
    view,
};

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route(paths::ACCOUNT, get(account)).route(paths::ROOT, get(front)).route("/", get(front))
}

/// `GET /auth/account`
async fn account(State(app): State<Arc<App>>, renderer: Renderer, context: RequestContext, parts: Parts) -> Response {
    match current_session::find(&app, &context).await {
        // By the login host's clock it may not be due yet.
        Ok(Found::SignedIn(person)) if person.is_recheck_due(app.system.now() - limits::CLOCKS_APART) => {
            let (page, _) = ReturnTo::sanitize(Some(paths::ACCOUNT), &app.public_url, &app.gate.applications);
            sign_in::recheck(&app, &renderer, context, &person, page).await
        }
        Ok(Found::SignedIn(person)) => page(&app, &renderer, &person, named_client(&app, &parts)).await,
        Ok(Found::Disabled) => disabled(&app, &renderer),
        Ok(found @ (Found::Nobody | Found::Ended)) => {
            let mut response = see_other(&format!("{}?return_to={}", paths::LOGIN, paths::ACCOUNT));
            current_session::forget_ended(&mut response, &app, &found);
            response
        }
        Err(error) => renderer.store_unavailable(&error, paths::ACCOUNT),
    }
}

async fn page(app: &App, renderer: &Renderer, person: &SignedIn, client: Option<IpAddr>) -> Response {
    let provider = app.providers.get(&person.provider).map_or_else(|| person.provider.as_str(), |known| known.name());
    let applications = app.gate.open_to(person, client).await;
    let account = view::Account {
        name: current_session::shown_name(person).to_owned(),
        username: person.user.username.clone(),
        email: person.user.email.clone(),
        provider: provider.to_owned(),
        signed_in_at: view::Moment {
            human: human_time(person),
            rfc3339: person.since.format(&Rfc3339).unwrap_or_default(),
        },
        applications: applications.into_iter().map(application).collect(),
        logout: paths::LOGOUT.to_owned(),
    };
    renderer.page(StatusCode::OK, |shell| view::account(shell, &account))
}

fn application(site: &Site) -> view::Application {
    view::Application { host: site.name().to_owned(), url: site.join("/") }
}

/// The account was disabled after the person signed in. The button lets them choose another account at the provider.
pub(super) fn disabled(app: &App, renderer: &Renderer) -> Response {
    let mut providers = app.providers.iter();
    let only = providers.next().filter(|_| providers.next().is_none());
    let begin_again = only.map(|provider| {
        let provider = provider.id().clone();
        Start { prompt: Prompt::AnotherAccount, ..Start::new(provider, ReturnTo::default()).clicked() }.path()
    });
    let failure = renderer.without_attempt(Problem::UserDisabled, &Said::default());
    renderer.failure(&Failure { begin_again, ..failure }, None)
}

fn human_time(person: &SignedIn) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day], [hour]:[minute] UTC");
    person.since.format(format).unwrap_or_default()
}

/// `GET /auth`, and `GET /` where Vestibule owns the host: to the account page, which leads to the login page, or directly
/// there for whoever says where to go from it.
async fn front(State(app): State<Arc<App>>, parameters: Parameters) -> Response {
    match &parameters.return_to {
        Some(asked) => see_other(&login_page(&app.sign_in.return_to(Some(asked)))),
        None => see_other(paths::ACCOUNT),
    }
}
