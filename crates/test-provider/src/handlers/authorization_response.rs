//! The authorization response, with everything that the rules do to it (Core 3.1.2.5, RFC 9207).

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

use super::page;
use crate::{form, profile::Profile, provider::Provider, rules::CallbackEdit};

/// Where the response goes, and how.
#[derive(Clone, Copy)]
pub(super) struct Target<'r> {
    pub(super) redirect_uri: &'r str,
    pub(super) form_post: bool,
    pub(super) state: Option<&'r str>,
}

/// A code, with the parameters in the order seen at Authelia.
pub(super) fn success(
    provider: &Provider,
    target: Target<'_>,
    scope: &str,
    code: &str,
    edits: &[CallbackEdit],
) -> Response {
    let mut parameters = vec![pair("code", code), pair("iss", &provider.issuer.url)];
    if provider.config.profile == Profile::Authelia {
        parameters.push(pair("scope", scope));
    }
    parameters.extend(target.state.map(|state| pair("state", state)));
    send(target, parameters, edits)
}

/// An error (RFC 6749 4.1.2.1).
pub(super) fn error(provider: &Provider, target: Target<'_>, error: &str, description: &str) -> Response {
    let mut parameters =
        vec![pair("error", error), pair("error_description", description), pair("iss", &provider.issuer.url)];
    parameters.extend(target.state.map(|state| pair("state", state)));
    send(target, parameters, &provider.rules.callback())
}

fn send(target: Target<'_>, mut parameters: Vec<(String, String)>, edits: &[CallbackEdit]) -> Response {
    let mut form_post = target.form_post;
    let mut raw = None;
    for edit in edits {
        match edit {
            CallbackEdit::Error { code, description } => {
                parameters.retain(|(name, _)| !["code", "scope"].contains(&name.as_str()));
                parameters.push(pair("error", code));
                parameters.extend(description.as_ref().map(|text| pair("error_description", text)));
            }
            CallbackEdit::Set(name, value) => match parameters.iter_mut().find(|(given, _)| given == name) {
                Some((_, old)) => old.clone_from(value),
                None => parameters.push(pair(name, value)),
            },
            CallbackEdit::Add(name, value) => parameters.push(pair(name, value)),
            CallbackEdit::Repeat(name) => {
                let again: Vec<_> = parameters.iter().filter(|(given, _)| given == name).cloned().collect();
                parameters.extend(again);
            }
            CallbackEdit::Remove(name) => parameters.retain(|(given, _)| given != name),
            CallbackEdit::Raw(query) => raw = Some(query.clone()),
            CallbackEdit::LongCode(_) => {}
            CallbackEdit::FormPost => form_post = true,
        }
    }
    if form_post {
        return page::form_post(target.redirect_uri, &parameters);
    }
    let query = raw.unwrap_or_else(|| form::encode(&parameters));
    let join = if target.redirect_uri.contains('?') { '&' } else { '?' };
    let location = HeaderValue::try_from(format!("{}{join}{query}", target.redirect_uri));
    match location {
        Ok(location) => (
            StatusCode::SEE_OTHER,
            [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        )
            .into_response(),
        Err(_) => page::refusal(StatusCode::BAD_REQUEST, "The address to return to cannot be written in a header."),
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
