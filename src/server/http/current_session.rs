//! Who is signed in with the browser that makes a request.

use axum::response::Response;
use tokio::time::timeout_at;

use super::cookies::remove_session_cookie;
use crate::{
    server::{
        session::{Found, SignedIn},
        sign_in::RequestContext,
        state::App,
        store::StoreError,
    },
    visible::visible,
};

/// Looks the session up, within the patience.
pub(crate) async fn find(app: &App, context: &RequestContext) -> Result<Found, StoreError> {
    let Some(session) = context.session else { return Ok(Found::Nobody) };
    match timeout_at(context.arrived + app.sign_in.patience(), app.sessions.find(session)).await {
        Ok(found) => found,
        Err(_) => Err(StoreError::Unavailable("no response in time".into())),
    }
}

/// Removes the cookie of a session that has ended, once the account's page has found that out. The pages of a sign-in do
/// not: the callback of another tab may set a new cookie at this very moment, which a late removal would take away again.
pub(crate) fn forget_ended(response: &mut Response, app: &App, found: &Found) {
    if matches!(found, Found::Ended) {
        remove_session_cookie(response, app);
    }
}

/// The name to show.
pub(crate) fn shown_name(person: &SignedIn) -> &str {
    let full_name = person.user.full_name.as_deref().filter(|name| !visible(name).is_empty());
    full_name.unwrap_or(&person.user.username)
}
