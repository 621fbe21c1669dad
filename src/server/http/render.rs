//! Renders pages: in the language of the request, with the program's own files around them.

use std::{convert::Infallible, sync::Arc};

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
    server::{client_address::ClientAddress, http::request, ids::Reference, problem::Problem, state::App},
    view::{Lang, Shell},
};

/// Renders pages for one request.
pub(crate) struct Renderer {
    app: Arc<App>,
    client: ClientAddress,
    pub(crate) lang: Lang,
}

impl Renderer {
    fn new(app: Arc<App>, parts: &Parts) -> Self {
        let client = request::client(&app, parts);
        let accepted = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self { app, client, lang: accepted.map(Lang::from_accept_language).unwrap_or_default() }
    }

    /// A page as a response. `content` gets what every page has around it.
    pub(crate) fn page(&self, status: StatusCode, content: impl FnOnce(&Shell<'_>) -> String) -> Response {
        let html = content(&Shell { lang: self.lang, assets: self.app.assets.urls() });
        (status, [(VARY, "Accept-Language, Cookie")], Html(html)).into_response()
    }

    /// A reference for a problem that has no attempt.
    pub(crate) fn reference(&self, problem: Problem) -> Reference {
        problem.reference(self.client, None, || Reference::of(&self.app.system.bytes::<16>()))
    }
}

impl FromRequestParts<Arc<App>> for Renderer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self::new(app.clone(), parts))
    }
}
