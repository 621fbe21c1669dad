//! Renders pages: in the language of the request, with the program's own files around them.

use std::{borrow::Cow, convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{
        StatusCode,
        header::{ACCEPT_LANGUAGE, VARY},
        request::Parts,
    },
    response::{Html, IntoResponse as _, Response},
};

use crate::{
    paths,
    server::{
        application::Site, client_address::ClientAddress, http::request, ids::Reference, problem::Problem, state::App,
    },
    view::{Lang, Shell},
};

/// Renders pages for one request.
pub(crate) struct Renderer {
    app: Arc<App>,
    client: ClientAddress,
    pub(crate) lang: Lang,
    /// Where our own paths begin on the host of the request.
    prefix: Cow<'static, str>,
}

impl Renderer {
    pub(crate) fn new(app: Arc<App>, parts: &Parts) -> Self {
        let client = request::client(&app, parts);
        let accepted = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let prefix = Cow::Borrowed(paths::ROOT);
        Self { app, client, lang: accepted.map(Lang::from_accept_language).unwrap_or_default(), prefix }
    }

    /// For pages on a host of an application.
    pub(crate) fn at(app: Arc<App>, parts: &Parts, site: &Site) -> Self {
        Self { prefix: Cow::Owned(site.application.prefix.clone()), ..Self::new(app, parts) }
    }

    /// One of our own paths, on the host of the request.
    pub(super) fn own(&self, path: &str) -> String {
        path.strip_prefix(paths::ROOT).map_or_else(|| path.to_owned(), |rest| format!("{}{rest}", self.prefix))
    }

    /// A page as a response. `content` gets what every page has around it.
    pub(crate) fn page(&self, status: StatusCode, content: impl FnOnce(&Shell<'_>) -> String) -> Response {
        let ours = self.app.assets.urls();
        let assets =
            if self.prefix == paths::ROOT { Cow::Borrowed(ours) } else { Cow::Owned(ours.below(&self.prefix)) };
        let html = content(&Shell { lang: self.lang, assets: &assets });
        (status, [(VARY, "Accept-Language, Cookie")], Html(html)).into_response()
    }

    /// A reference for a problem that has no attempt. `of`: what it is, for one that is met again and again.
    pub(crate) fn reference(&self, problem: Problem, of: Option<&str>) -> Reference {
        problem.reference(self.client, of, || self.app.new_reference())
    }
}

impl FromRequestParts<Arc<App>> for Renderer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(match parts.extensions.get::<Site>() {
            Some(site) => Self::at(app.clone(), parts, site),
            None => Self::new(app.clone(), parts),
        })
    }
}
