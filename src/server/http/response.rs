//! Redirects and cookies in responses.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{LOCATION, SET_COOKIE},
    },
    response::{IntoResponse as _, Response},
};

use super::cookies::Cookie;
use crate::server::{limits, session::SessionId, sign_in::browser_cookie::Browser, state::App};

/// 303 to `location`: a path of ours or the provider's authorization endpoint.
pub(crate) fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Sets the session's cookie and the flow cookie: the person is signed in.
pub(crate) fn set_session_cookie(response: &mut Response, app: &App, session: SessionId, browser: &Browser) {
    add(response, app.cookies.set(Cookie::Session, &session.expose(), app.sessions.longest()));
    set_flow_cookie(response, app, browser);
}

/// Sets the flow cookie.
pub(crate) fn set_flow_cookie(response: &mut Response, app: &App, browser: &Browser) {
    add(response, app.cookies.set(Cookie::Flow, &app.sign_in.seal_browser(browser), limits::COOKIE_LIFE_MAX));
}

/// Removes the session's cookie: signed out, or it names no session any more.
pub(crate) fn remove_session_cookie(response: &mut Response, app: &App) {
    add(response, app.cookies.remove(Cookie::Session));
}

fn add(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
