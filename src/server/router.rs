//! One readable table of routes and layers.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
use tower::{ServiceExt as _, service_fn, util::MapRequest};
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::{
    http::{
        by_host::{self, Host},
        csrf, headers,
        pages::{account, backchannel_logout, files, handover, hosted, login, machines, sign_in, sign_out},
        panic,
        plain_path::plain_path,
        request, request_limits,
    },
    limits,
    state::App,
};

/// Everything under the public URL.
pub fn public(app: &Arc<App>) -> Router {
    let login = layered(routes(app), headers::Hsts::of(app), app);
    // It binds a whole host, and an application's is not ours.
    let application = layered(hosted::router(app), headers::Hsts::none(), app);
    let (applications, login_origin) = (Arc::clone(&app.gate.applications), app.public_url.origin().to_owned());
    let by_host = service_fn(move |mut request| {
        let router = match by_host::note(&mut request, &applications, &login_origin) {
            Host::Login => &login,
            Host::Application => &application,
        };
        router.clone().oneshot(request)
    });
    // Around the routers, since the path has to be cleaned up before a route is chosen.
    Router::new().fallback_service(MapRequest::new(by_host, plain_path))
}

/// Every page, in groups by what guards it.
fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    // May change something, so only for requests from our own pages.
    let own_pages = Router::new()
        .merge(login::router())
        .merge(account::router())
        .merge(sign_out::router())
        .merge(sign_in::poll_router())
        .route_layer(from_fn_with_state(app.clone(), csrf::same_origin_only));
    Router::new()
        .merge(own_pages)
        // Reached from other sites, too; each route has its own guard.
        .merge(sign_in::router(app))
        .merge(backchannel_logout::router())
        .merge(handover::router(app))
        .merge(hosted::machines())
        // Change nothing, so they need no guard.
        .merge(files::router())
        .merge(machines::router())
        .fallback(files::not_found)
        .method_not_allowed_fallback(files::method_not_allowed)
}

/// The layers around every route; a request passes the last one first.
pub(super) fn layered(routes: Router<Arc<App>>, hsts: headers::Hsts, app: &Arc<App>) -> Router {
    routes
        .layer(DefaultBodyLimit::max(limits::REQUEST_BODY))
        .layer(RequestBodyTimeoutLayer::new(limits::REQUEST_BODY_TIMEOUT))
        .layer(from_fn_with_state(app.clone(), request_limits::limit_headers))
        .layer(from_fn_with_state(app.clone(), panic::catch))
        .layer(from_fn_with_state(hsts, headers::layer))
        .layer(from_fn(request::note_arrival))
        .with_state(app.clone())
}
