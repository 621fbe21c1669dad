//! Sign-out, and the page after it.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
use tokio::time::timeout_at;

use crate::{
    paths,
    server::{
        http::{
            cookies::{remove_session_cookie, set_flow_cookie},
            current_session,
            redirect::see_other,
            render::Renderer,
            request::Parameters,
        },
        ids::ProviderId,
        session::Found,
        sign_in::{
            RequestContext,
            return_to::ReturnTo,
            start::{Prompt, Start},
        },
        state::App,
        store::StoreError,
    },
    view,
};

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route(paths::LOGOUT, get(ask).post(sign_out)).route(paths::SIGNED_OUT, get(signed_out))
}

/// `GET /auth/logout`: the page with the one button. A link, which is all that an application has, ends nothing.
async fn ask(State(app): State<Arc<App>>, renderer: Renderer, context: RequestContext) -> Response {
    let name = match current_session::find(&app, &context).await {
        Ok(Found::SignedIn(person)) => Some(current_session::shown_name(&person).to_owned()),
        Ok(Found::Disabled) => None,
        Ok(found @ (Found::Nobody | Found::Ended)) => {
            let mut response = see_other(paths::SIGNED_OUT);
            current_session::forget_ended(&mut response, &app, &found);
            return response;
        }
        Err(error) => return renderer.store_unavailable(&error, paths::LOGOUT),
    };
    let page = view::SignOut { name, logout: paths::LOGOUT.to_owned() };
    renderer.page(StatusCode::OK, |shell| view::sign_out(shell, &page))
}

/// `POST /auth/logout`: the session ends before anything else, and the browser key changes, so that the next person at
/// the browser cannot complete a sign-in that was started before.
async fn sign_out(State(app): State<Arc<App>>, renderer: Renderer, context: RequestContext) -> Response {
    let browser = context.browser.as_ref().map(|browser| browser.key.hash());
    let until = context.arrived + app.sign_in.patience();
    let signed_out = timeout_at(until, app.sessions.sign_out(context.session, browser)).await;
    let provider = match signed_out.unwrap_or_else(|_| Err(StoreError::Unavailable("no response in time".into()))) {
        Ok(provider) => provider,
        Err(error) => return renderer.store_unavailable(&error, paths::ACCOUNT),
    };
    tracing::info!(code = "signed_out", "signed out");
    let query = provider.map(|id| format!("?provider={id}")).unwrap_or_default();
    let mut response = see_other(&format!("{}{query}", paths::SIGNED_OUT));
    remove_session_cookie(&mut response, &app);
    set_flow_cookie(&mut response, &app, &app.sign_in.signed_out_browser(context.browser.as_ref()));
    response
}

/// `GET /auth/signed-out`: it shows the same to everyone.
async fn signed_out(State(app): State<Arc<App>>, renderer: Renderer, parameters: Parameters) -> Response {
    let named = parameters.provider.map(ProviderId::new).and_then(|id| app.providers.get(&id));
    let provider = named.or_else(|| app.providers.iter().next());
    let other_account = provider.map(|provider| {
        let provider = provider.id().clone();
        Start { prompt: Prompt::AnotherAccount, ..Start::new(provider, ReturnTo::default()).clicked() }.path()
    });
    let page = view::SignedOut {
        provider: named.map(|provider| provider.name().to_owned()),
        again: paths::LOGIN.to_owned(),
        other_account,
    };
    renderer.page(StatusCode::OK, |shell| view::signed_out(shell, &page))
}
