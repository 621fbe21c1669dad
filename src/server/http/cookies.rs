//! The two cookies of a response: the session's and the flow cookie.

use axum::{
    http::{HeaderValue, header::SET_COOKIE},
    response::Response,
};

use crate::server::{cookie_headers::Cookie, limits, session::SessionId, sign_in::browser_cookie::Browser, state::App};

/// Sets the session's cookie and the flow cookie: the person is signed in.
pub(crate) fn set_session_cookie(response: &mut Response, app: &App, session: SessionId, browser: &Browser) {
    add(response, app.cookies.set(Cookie::Session, &session.expose(), app.sessions.longest()));
    set_flow_cookie(response, app, browser);
}

/// Sets the session cookie of an application's host.
pub(crate) fn set_host_session_cookie(response: &mut Response, app: &App, sealed: &str) {
    add(response, app.cookies.set(Cookie::Session, sealed, app.sessions.longest()));
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
