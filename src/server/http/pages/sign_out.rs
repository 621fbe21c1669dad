//! Sign-out: the button, the way to the provider, and the page after it.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderValue, StatusCode, header::REFERRER_POLICY},
    response::Response,
    routing::get,
};

use crate::{
    paths,
    server::{
        http::{
            cookies::{remove_session_cookie, set_flow_cookie},
            current_session, headers,
            redirect::see_other,
            render::Renderer,
            request::Parameters,
        },
        ids::ProviderId,
        provider::{Availability, EndSessionRequest, Provider},
        session::{Found, SignedIn},
        sign_in::{
            RequestContext, SignedOut,
            return_to::ReturnTo,
            start::{Prompt, Start},
        },
        state::App,
    },
    view,
};

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route(paths::LOGOUT, get(ask).post(sign_out)).route(paths::SIGNED_OUT, get(signed_out))
}

/// `GET /auth/logout`: the page with the one button. A link, which is all that an application has, ends nothing.
async fn ask(State(app): State<Arc<App>>, renderer: Renderer, context: RequestContext) -> Response {
    match current_session::find(&app, &context).await {
        Ok(Found::SignedIn(person)) => button(&renderer, Some(&person)),
        Ok(Found::Disabled) => button(&renderer, None),
        Ok(found @ (Found::Nobody | Found::Ended)) => {
            let mut response = see_other(paths::SIGNED_OUT);
            current_session::forget_ended(&mut response, &app, &found);
            response
        }
        Err(error) => renderer.store_unavailable(&error, paths::LOGOUT),
    }
}

fn button(renderer: &Renderer, person: Option<&SignedIn>) -> Response {
    let name = person.map(|person| current_session::shown_name(person).to_owned());
    let page = view::SignOut { name, logout: paths::LOGOUT.to_owned() };
    renderer.page(StatusCode::OK, |shell| view::sign_out(shell, &page))
}

/// `POST /auth/logout`: the session ends before anything else. Nothing in the request says where to go afterwards.
async fn sign_out(State(app): State<Arc<App>>, renderer: Renderer, context: RequestContext) -> Response {
    let SignedOut { browser, provider, there } = match app.sign_in.sign_out(&context).await {
        Ok(signed_out) => signed_out,
        Err(error) => {
            let mut response = renderer.store_unavailable(&error, paths::ACCOUNT);
            set_flow_cookie(&mut response, &app, &app.sign_in.maybe_signed_out(&context));
            return response;
        }
    };
    tracing::info!(code = "signed_out", "signed out");
    let mut response = match (provider, there) {
        (Some(provider), Some(there)) => to_the_provider(&renderer, &provider, there),
        (Some(provider), None) => see_other(&format!("{}?provider={}", paths::SIGNED_OUT, provider.id())),
        (None, _) => see_other(paths::SIGNED_OUT),
    };
    remove_session_cookie(&mut response, &app);
    set_flow_cookie(&mut response, &app, &browser);
    response
}

/// A page of ours that goes on to the provider: a redirect would be the form's, and stopped by `form-action`.
fn to_the_provider(renderer: &Renderer, provider: &Provider, there: EndSessionRequest) -> Response {
    let (there, form_goes_to) = match there {
        EndSessionRequest::Get(url) => (view::There::Link(url.into()), None),
        EndSessionRequest::Post { to, fields } => {
            let scheme = to.scheme().to_owned();
            (view::There::Form { action: to.into(), fields }, Some(scheme))
        }
    };
    let available = provider.availability() == Availability::Available;
    let page = view::SigningOut { provider: provider.name().to_owned(), available, there };
    let mut response = renderer.page(StatusCode::OK, |shell| view::signing_out(shell, &page));
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(scheme) = form_goes_to {
        headers::let_forms_leave(response.headers_mut(), &scheme);
    }
    response
}

/// `GET /auth/signed-out`: it ends nothing, and shows nothing of what it was asked with. Whoever is signed in sees so.
async fn signed_out(
    State(app): State<Arc<App>>,
    renderer: Renderer,
    context: RequestContext,
    parameters: Parameters,
) -> Response {
    match current_session::find(&app, &context).await {
        Ok(Found::SignedIn(person)) => return button(&renderer, Some(&person)),
        Ok(Found::Disabled | Found::Ended | Found::Nobody) => {}
        // Only a browser with a session's cookie can get here, and sign-out has taken that away.
        Err(error) => return renderer.store_unavailable(&error, paths::SIGNED_OUT),
    }
    let browser = context.browser.as_ref();
    let back =
        parameters.state.as_deref().zip(browser).and_then(|(state, browser)| app.sign_in.back_from(state, browser));
    let named = back.or_else(|| app.providers.get(&ProviderId::new(parameters.provider?)));
    let asks = browser.is_some_and(|browser| browser.asks);
    let there = match back {
        Some(_) => view::AtProvider::Asked,
        None if asks => view::AtProvider::Remains,
        None => view::AtProvider::Unknown,
    };
    let other_account = named.or_else(|| app.providers.iter().next()).map(|provider| {
        let provider = provider.id().clone();
        Start { prompt: Prompt::AnotherAccount, ..Start::new(provider, ReturnTo::default()).clicked() }.path()
    });
    let provider = named.map(|provider| provider.name().to_owned());
    let page = view::SignedOut { there, provider, asks, again: paths::LOGIN.to_owned(), other_account };
    renderer.page(StatusCode::OK, |shell| view::signed_out(shell, &page))
}
