//! Which host a request is for: the login host's pages, or what an application's host has of ours.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{Uri, header::HOST},
};

use crate::{
    paths,
    server::{
        application::{Applications, Site},
        gate::asked::host_name,
    },
};

/// Where a request belongs.
pub(crate) enum Host {
    /// The login host, or one that nobody has named: it is served as the login host.
    Login,
    /// A host of an application.
    Application,
}

/// Notes in the request which application's host it is for, by `Host` alone, and puts our own paths below `/auth`, wherever
/// they are on that host.
pub(crate) fn note(request: &mut Request, applications: &Arc<Applications>, login_origin: &str) -> Host {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let site = host.and_then(host_name).and_then(|host| applications.at(&host));
    let Some(site) = site else { return Host::Login };
    let is_login = *site.origin == *login_origin;
    if !is_login {
        *request.uri_mut() = below_root(request.uri(), &site);
    }
    request.extensions_mut().insert(site);
    if is_login { Host::Login } else { Host::Application }
}

/// A path that is not below the prefix is none of ours there.
fn below_root(uri: &Uri, site: &Site) -> Uri {
    let rest = uri.path().strip_prefix(&*site.application.prefix).filter(|rest| rest.starts_with('/'));
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = rest.map_or_else(|| "/".to_owned(), |rest| format!("{}{rest}{query}", paths::ROOT));
    path.parse().unwrap_or_else(|_| Uri::from_static("/"))
}
