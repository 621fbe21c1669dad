//! The provider's own pages: plain HTML that works without script.

use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

use crate::{form::escape, people::DemoPerson};

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1d2733;--paper:#f4f6f8;--card:#fff;--line:#8593a3;--accent:#1f5f8b;--alarm:#a3261b}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--paper:#12171d;--card:#1b222b;--line:#6d7b8b;--accent:#8cc4ea;--alarm:#ff9d92}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif}
main{width:min(24rem,100%);background:var(--card);padding:2rem;border-radius:.75rem;border:1px solid var(--line)}
h1{font-size:1.25rem;margin:0 0 1rem}
label{display:block;margin:1rem 0 .25rem}
input{width:100%;font:inherit;padding:.5rem .75rem;border:1px solid var(--line);border-radius:.5rem;background:transparent;color:inherit}
button{width:100%;margin-top:1.5rem;font:inherit;padding:.6rem;border:0;border-radius:.5rem;background:var(--accent);color:var(--card);cursor:pointer}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.alarm{color:var(--alarm)}
dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;margin:1.5rem 0 0;padding-top:1rem;border-top:1px solid var(--line);font-size:.9rem}
dd{margin:0;font-family:ui-monospace,monospace}
";

fn page(status: StatusCode, title: &str, body: &str, script: Option<&'static str>) -> Response {
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{body}</main>{}</body></html>",
        script.map(|script| format!("<script>{script}</script>")).unwrap_or_default()
    );
    // No form-action: browsers apply it to the redirect after the form too, and that leads to the client.
    let policy = if script.is_some() {
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
    } else {
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
    };
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The login form. `request` is the authorization request's query, carried along.
pub(crate) fn login(
    status: StatusCode,
    action: &str,
    request: &str,
    client: &str,
    problem: Option<&str>,
    shown: &[DemoPerson],
) -> Response {
    let problem =
        problem.map(|problem| format!("<p class=\"alarm\" role=\"alert\">{}</p>", escape(problem))).unwrap_or_default();
    let people: String = shown
        .iter()
        .map(|person| format!("<dt>{}</dt><dd>{}</dd>", escape(&person.username), escape(&person.password)))
        .collect();
    let people = if people.is_empty() { people } else { format!("<dl aria-label=\"Demo people\">{people}</dl>") };
    let body = format!(
        "<p>to continue to <strong>{}</strong></p>{problem}<form method=\"post\" action=\"{}\">\
         <input type=\"hidden\" name=\"request\" value=\"{}\">\
         <label for=\"username\">User name</label>\
         <input id=\"username\" name=\"username\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" required autofocus>\
         <label for=\"password\">Password</label>\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required>\
         <button>Sign in</button></form>{people}",
        escape(client),
        escape(action),
        escape(request),
    );
    page(status, "Demo sign-in", &body, None)
}

/// A page that says one thing.
pub(crate) fn message(title: &str, text: &str) -> Response {
    page(StatusCode::OK, title, &format!("<p>{}</p>", escape(text)), None)
}

/// A refusal that must not go back to the client (RFC 6749 4.1.2.1).
pub(crate) fn refusal(status: StatusCode, reason: &str) -> Response {
    page(status, "This sign-in cannot go on", &format!("<p role=\"alert\">{}</p>", escape(reason)), None)
}

/// The page that posts `fields` to `action` by itself (Form Post Response Mode 2), or by a click.
pub(crate) fn form_post(action: &str, fields: &[(String, String)]) -> Response {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value)))
        .collect();
    let body = format!("<form method=\"post\" action=\"{}\">{fields}<button>Continue</button></form>", escape(action));
    page(StatusCode::OK, "Returning", &body, Some("document.forms[0].submit()"))
}
