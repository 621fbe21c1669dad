//! The login host's part of the handover: a signed-in person goes on to the application's host with a ticket, anyone else
//! signs in first.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::StatusCode,
    middleware,
    response::Response,
    routing::get,
};

use super::{account, sign_in};
use crate::{
    paths,
    server::{
        application::Site,
        failure_log::Said,
        gate::handover::{Handover, Ticket},
        http::{
            cookies::set_flow_cookie, current_session, fetch_metadata::navigations_only, redirect::see_other,
            render::Renderer,
        },
        problem::Problem,
        session::{Found, SessionId},
        sign_in::{
            Failure, RequestContext,
            browser_cookie::Browser,
            redirect_loop::Onward,
            start::{Start, login_page},
        },
        state::App,
    },
    view,
};

/// Reached from the applications' hosts, by a navigation alone.
pub(crate) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let guard = middleware::from_fn_with_state(app.clone(), navigations_only);
    Router::new().route(paths::HANDOVER, get(handover).route_layer(guard))
}

/// `GET /auth/handover?request=`, and `?page=` for where only a path of ours can be named: the application's host then asks
/// by itself.
async fn handover(
    State(app): State<Arc<App>>,
    renderer: Renderer,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    if let Some(page) = value(&query, "page") {
        return see_other(app.sign_in.return_to(Some(&page)).as_str());
    }
    let asked = value(&query, "request").and_then(|request| {
        let asked = app.gate.open_handover(&request)?;
        let site = asked.page.site(&app.gate.applications)?;
        Some((asked, site))
    });
    let Some((asked, site)) = asked else { return renderer.problem(Problem::HandoverInvalid) };
    match current_session::find(&app, &context).await {
        Ok(Found::SignedIn(person)) if person.is_recheck_due(app.system.now()) => {
            sign_in::recheck(&app, &renderer, context, &person, asked.page).await
        }
        Ok(Found::SignedIn(_)) => match context.session {
            Some(session) => go_on(&app, &renderer, context.browser, session, &asked, &site),
            None => renderer.problem(Problem::Internal),
        },
        Ok(Found::Nobody | Found::Ended) => sign_in::begin(&app, &renderer, context, asked.page).await,
        Ok(Found::Disabled) => account::disabled(&app, &renderer),
        Err(error) => renderer.store_unavailable(&error, &format!("{}?{query}", paths::HANDOVER)),
    }
}

/// On to the application's host, with a ticket for the browser that asked.
fn go_on(
    app: &App,
    renderer: &Renderer,
    browser: Option<Browser>,
    session: SessionId,
    asked: &Handover,
    site: &Site,
) -> Response {
    let now = app.system.now();
    let mut browser = browser.unwrap_or_else(|| Browser::new(&app.system));
    let Some(onward) = browser.turns.sent_on(&asked.page, now) else {
        let said = Said::by(Some(format!("{}: one who is signed in came back without a session", site.origin)));
        let failure = renderer.without_attempt(Problem::SignInLoop, &said);
        let begin_again = Some(again(app, asked));
        return renderer.failure(&Failure { begin_again, ..failure }, None);
    };
    let to = if asked.is_fresh(now) {
        let ticket = Ticket {
            page: asked.page.clone(),
            browser: asked.browser,
            session: session.hash(),
            issued: now,
            turns: browser.turns.in_a_row(),
        };
        app.gate.enter_url(site, &ticket)
    } else {
        // A page restored from last week: its host asks anew.
        asked.page.as_str().to_owned()
    };
    let mut response = match onward {
        Onward::Redirect => see_other(&to),
        Onward::Page => renderer.page(StatusCode::OK, |shell| view::signed_in(shell, &to)),
    };
    set_flow_cookie(&mut response, app, &browser);
    response
}

/// A click begins anew.
fn again(app: &App, asked: &Handover) -> String {
    let mut providers = app.providers.iter();
    match (providers.next(), providers.next()) {
        (Some(only), None) => {
            let provider = only.id().clone();
            Start::new(provider, asked.page.clone()).clicked().path()
        }
        _ => login_page(&asked.page),
    }
}

/// The first value of a parameter in a query.
pub(super) fn value(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
