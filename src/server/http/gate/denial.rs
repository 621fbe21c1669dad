//! The answer to a request that may not pass: a redirect into sign-in, a page that explains, or JSON for machines.

use std::sync::Arc;

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{REFERER, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{IntoResponse as _, Response},
};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use serde_json::json;

use super::visitor::Visitor;
use crate::{
    paths,
    server::{
        application::Site,
        cookie_headers::Cookie,
        failure_log::Said,
        gate::{
            asked::Asked,
            check::{Verdict, Who},
            handover::Handover,
        },
        http::{cookies::set_flow_cookie, current_session, headers, machine, redirect::see_other, render::Renderer},
        problem::Problem,
        session::SignedIn,
        sign_in::{Failure, browser_cookie::Browser, return_to::ReturnTo},
        state::App,
        store::StoreError,
    },
};

/// A request that may not pass.
pub(super) struct Denial<'r> {
    app: &'r Arc<App>,
    parts: &'r Parts,
    asked: &'r Asked<'r>,
    visitor: Visitor,
}

impl<'r> Denial<'r> {
    pub(super) fn new(app: &'r Arc<App>, parts: &'r Parts, asked: &'r Asked<'r>) -> Self {
        Self { app, parts, asked, visitor: Visitor::of(asked.method, &parts.headers) }
    }

    /// The answer to `verdict`, where the proxy hands it to the browser.
    pub(super) fn of(&self, verdict: Verdict<'_>) -> Response {
        match verdict {
            Verdict::Nobody => self.nobody(),
            Verdict::NotAdmitted { person, by } => self.not_admitted(person.as_deref(), &by),
            Verdict::Forged(name) => {
                self.explain(Problem::IdentityForged, &Said::by(Some(format!("the client sent {name}"))), None)
            }
            Verdict::Unknown(error) => self.unknown(&error),
            // A yes is not answered here.
            Verdict::Anyone(_) | Verdict::Person(_) => {
                self.explain(Problem::ProxyRefused, &Said::by(Some(self.site().origin.to_string())), None)
            }
        }
    }

    /// The same, where the proxy has said no already: if the request may pass after all, it is sent there once more, and the
    /// next time that soon it was the proxy itself.
    pub(super) fn or_proxy_refused(&self, verdict: Verdict<'_>) -> Response {
        let may_pass = matches!(verdict, Verdict::Anyone(_) | Verdict::Person(_));
        if may_pass
            && self.visitor == Visitor::Navigation
            && self.app.gate.may_be_sent_again(self.who(), self.asked.uri)
        {
            // As it was asked for, however long. What a URL cannot hold is written as one has it.
            let uri = utf8_percent_encode(self.asked.uri, CONTROLS).to_string();
            return self.finish(see_other(&self.site().join(&uri)));
        }
        self.of(verdict)
    }

    fn nobody(&self) -> Response {
        match self.visitor {
            Visitor::Navigation => self.to_sign_in(),
            Visitor::Form => {
                let login = self.site().own(paths::LOGIN);
                self.explain(Problem::FormNotSent, &Said::default(), Some(login))
            }
            Visitor::Machine => {
                let login = self.login_url();
                let body = Json(json!({ "error": "login_required", "login_url": login }));
                let mut response = (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Cookie")], body).into_response();
                if let Ok(login) = HeaderValue::try_from(login) {
                    response.headers_mut().insert(headers::LOGIN, login);
                }
                self.finish(response)
            }
        }
    }

    /// To the login host. Where that is this host there is nothing to hand over.
    fn to_sign_in(&self) -> Response {
        let (app, page) = (self.app, self.page());
        if self.is_login_host() {
            return self.finish(see_other(&app.public_url.join(&format!(
                "{}?return_to={}",
                paths::OIDC_LOGIN,
                page.encoded()
            ))));
        }
        let known = app.cookies.get(&self.parts.headers, Cookie::Flow).and_then(|value| app.sign_in.browser(value));
        let is_new = known.is_none();
        let browser = known.unwrap_or_else(|| Browser::new(&app.system));
        let mut response =
            see_other(&app.gate.handover_url(&Handover { page, browser: browser.key.hash(), asked: app.system.now() }));
        if is_new {
            set_flow_cookie(&mut response, app, &browser);
        }
        self.finish(response)
    }

    fn not_admitted(&self, person: Option<&SignedIn>, by: &str) -> Response {
        let path = self.path_of(&self.page());
        let login = if self.is_login_host() { paths::OIDC_LOGIN.to_owned() } else { self.site().own(paths::LOGIN) };
        let another = format!("{login}?prompt=login&again=1&return_to={path}");
        let name = person.map(|person| current_session::shown_name(person).to_owned());
        // Of the person only that: who they are may be nobody's business.
        let groups = person.map(|person| format!("; groups of the person: {}", person.facts.groups.len()));
        let detail = format!("{}: {by}{}", self.site().origin, groups.unwrap_or_default());
        let renderer = self.renderer();
        let user = person.map_or("", |person| person.user.id.as_str());
        let reference = renderer.reference(Problem::NotAdmitted, Some(&format!("{detail} {user}")));
        Problem::NotAdmitted.log_because(&reference, &detail);
        let failure = Failure { begin_again: Some(another), ..Failure::new(Problem::NotAdmitted, reference) };
        self.finish(match self.visitor {
            Visitor::Machine => machine::explain(&failure),
            Visitor::Navigation | Visitor::Form => renderer.failure_of(&failure, None, name),
        })
    }

    fn unknown(&self, error: &StoreError) -> Response {
        if self.visitor == Visitor::Machine {
            return self.explain(Problem::StoreUnavailable, &Said::from(error), None);
        }
        let page = self.page();
        self.finish(self.renderer().store_unavailable(error, page.at(&self.site().origin)))
    }

    fn explain(&self, problem: Problem, said: &Said, begin_again: Option<String>) -> Response {
        let renderer = self.renderer();
        let failure = Failure { begin_again, ..renderer.without_attempt(problem, said) };
        self.finish(match self.visitor {
            Visitor::Machine => machine::explain(&failure),
            Visitor::Navigation | Visitor::Form => renderer.failure(&failure, None),
        })
    }

    fn site(&self) -> &Site {
        &self.asked.site
    }

    fn is_login_host(&self) -> bool {
        *self.site().origin == *self.app.public_url.origin()
    }

    /// Who asks: the browser by its cookie, if it has one, else its address.
    fn who(&self) -> Who {
        let cookie = self.app.cookies.get(&self.parts.headers, Cookie::Flow);
        match cookie.and_then(|value| self.app.sign_in.browser(value)) {
            Some(browser) => Who::Browser(browser.key.hash()),
            None => Who::Address(self.asked.client()),
        }
    }

    /// The page that was asked for, or the first of this application.
    fn page(&self) -> ReturnTo {
        self.here(&self.site().join(self.asked.uri)).unwrap_or_else(|| ReturnTo::home_of(self.site()))
    }

    /// A URL, if it leads to a page of this host.
    fn here(&self, url: &str) -> Option<ReturnTo> {
        // What is not followed is no line of the log: anybody could write there.
        let applications = &self.app.gate.applications;
        let (page, _) = ReturnTo::sanitize(Some(url), &self.app.public_url, applications);
        let is_here = match page.site(applications) {
            Some(site) => site == *self.site(),
            None => self.is_login_host(),
        };
        is_here.then_some(page)
    }

    /// The page on this host, encoded as a parameter of ours.
    fn path_of(&self, page: &ReturnTo) -> String {
        page.path_at(&self.site().origin)
    }

    /// Where a script sends the person; they come back to the page that the script is on, if the browser says which.
    fn login_url(&self) -> String {
        let referer = self.parts.headers.get(REFERER).and_then(|value| value.to_str().ok());
        let page = referer.and_then(|page| self.here(page));
        let path = page.map(|page| format!("?return_to={}", self.path_of(&page))).unwrap_or_default();
        self.site().join(&format!("{}{path}", self.site().own(paths::LOGIN)))
    }

    fn renderer(&self) -> Renderer {
        Renderer::at(Arc::clone(self.app), self.parts, self.site())
    }

    fn finish(&self, response: Response) -> Response {
        // It binds a whole host, and an application's is not ours.
        let hsts = headers::Hsts::of(self.app).0.filter(|_| self.is_login_host());
        finish(hsts, response)
    }
}

/// The answer to a question that is none, of which nobody knows the application.
pub(super) fn explain(app: &Arc<App>, parts: &Parts, failure: &Failure) -> Response {
    let said = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    // Pages link nothing but a path of this host, whatever is said here.
    let (method, same) = (said("x-forwarded-method"), said("x-forwarded-uri").map(ToOwned::to_owned));
    let response = match Visitor::of(method.unwrap_or(parts.method.as_str()), &parts.headers) {
        Visitor::Machine => machine::explain(failure),
        Visitor::Navigation | Visitor::Form => Renderer::new(Arc::clone(app), parts).failure(failure, same),
    };
    finish(None, response)
}

/// What every answer carries.
fn finish(hsts: Option<HeaderValue>, response: Response) -> Response {
    let mut response = headers::complete(response, hsts);
    headers::depend_on_cookie(response.headers_mut());
    response
}
