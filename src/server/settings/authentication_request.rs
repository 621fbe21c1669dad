//! What the operator asks of each authentication request (OpenID Connect Core 3.1.2.1).

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    reader::Reader,
    schema::{self, At, Index, Key},
};
use crate::server::limits;

/// What the operator asks of each authentication request, beyond what every one of them has.
#[derive(Clone, Debug, Default)]
pub struct AuthenticationRequestSettings {
    /// How the answer comes.
    pub response_mode: ResponseMode,
    /// What people are always asked: `login`, `consent`, `select_account`.
    pub prompt: Vec<String>,
    /// How long ago people may have signed in at the provider.
    pub max_age: Option<Duration>,
    /// In which ways people may sign in there; any, if empty.
    pub acr_values: Vec<String>,
    /// In which languages the provider is to speak.
    pub ui_locales: Vec<String>,
    /// A JSON object as Core 5.5 has it.
    pub claims: Option<String>,
}

/// How the provider's answer comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of a redirect (RFC 6749 4.1.2).
    #[default]
    Query,
    /// In a form that the browser posts (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

impl AuthenticationRequestSettings {
    pub(super) fn read(reader: &mut Reader<'_>, index: Index) -> Self {
        let at = |key: &'static Key| At { key, index };
        let mode = reader.choice(at(&schema::PROVIDER_RESPONSE_MODE));
        let form_post = mode.as_deref() == Some("form_post");
        let read = Self {
            response_mode: if form_post { ResponseMode::FormPost } else { ResponseMode::Query },
            prompt: reader.choices(at(&schema::PROVIDER_PROMPT)),
            max_age: reader.duration(at(&schema::PROVIDER_MAX_AGE)),
            acr_values: reader.each(at(&schema::PROVIDER_ACR_VALUES), acr, "write each value as a text of its own"),
            ui_locales: reader.each(at(&schema::PROVIDER_UI_LOCALES), language, "write it as \"de\" or \"pt-BR\""),
            claims: claims(reader, at(&schema::PROVIDER_CLAIMS)),
        };
        let bytes = read.bytes();
        if bytes > limits::OPERATORS_PARAMETERS {
            let what = format!(
                "makes {bytes} bytes of a URL together with prompt, acr_values and ui_locales, {} at most",
                limits::OPERATORS_PARAMETERS
            );
            reader.fault(&at(&schema::PROVIDER_CLAIMS), what, "ask for less");
        }
        read
    }
}

impl AuthenticationRequestSettings {
    /// What all of it adds to the address of a start.
    fn bytes(&self) -> usize {
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).map(str::len).sum::<usize>();
        let lists = [&self.prompt, &self.acr_values, &self.ui_locales];
        let lists = lists.into_iter().flatten().map(|text| encoded(text) + 1);
        lists.sum::<usize>() + self.claims.as_deref().map_or(0, encoded)
    }
}

/// One value of a list that is separated by spaces.
fn acr(text: &str) -> Result<String, String> {
    let fits = text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(format!("is {text:?}, which is not one value")) }
}

/// BCP 47, as far as its form goes.
fn language(text: &str) -> Result<String, String> {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    if text.split('-').all(part) {
        Ok(text.to_owned())
    } else {
        Err(format!("is {text:?}, which is not a language tag"))
    }
}

fn claims(reader: &mut Reader<'_>, at: At) -> Option<String> {
    let text = reader.text(at)?;
    match claims_parameter(&text) {
        Ok(claims) => Some(claims),
        Err(what) => {
            let fix = format!("write it as {} (OpenID Connect Core 5.5)", at.key.example);
            reader.fault(&at, what, fix);
            None
        }
    }
}

/// `text` without white space, if it is what Core 5.5 says.
fn claims_parameter(text: &str) -> Result<String, String> {
    let parsed: Value = serde_json::from_str(text)
        .map_err(|error| format!("is not JSON (line {}, column {})", error.line(), error.column()))?;
    let Value::Object(places) = &parsed else { return Err("is not a JSON object".to_owned()) };
    if places.is_empty() {
        return Err("asks for nothing".to_owned());
    }
    for (place, asked) in places {
        if !["userinfo", "id_token"].contains(&place.as_str()) {
            return Err(format!("has {place:?}, which is neither \"userinfo\" nor \"id_token\""));
        }
        let Value::Object(asked) = asked else { return Err(format!("has a {place:?} that is not an object")) };
        for (name, how) in asked {
            check_claim(&format!("{place}.{name}"), how)?;
        }
    }
    // Nothing is asked for that is not checked when it comes back.
    let acr = parsed.pointer("/id_token/acr").and_then(Value::as_object);
    if acr.is_some_and(|acr| acr.contains_key("value") || acr.contains_key("values")) {
        return Err("asks for values of id_token.acr, which belong into acr_values".to_owned());
    }
    Ok(parsed.to_string())
}

/// `null`, or an object whose known members are of their types (Core 5.5.1).
fn check_claim(name: &str, how: &Value) -> Result<(), String> {
    let how: &Map<String, Value> = match how {
        Value::Null => return Ok(()),
        Value::Object(how) => how,
        _ => return Err(format!("has {name} as neither null nor an object")),
    };
    if how.get("essential").is_some_and(|essential| !essential.is_boolean()) {
        return Err(format!("has {name}.essential as neither true nor false"));
    }
    if how.get("values").is_some_and(|values| !values.is_array()) {
        return Err(format!("has {name}.values as something else than a list"));
    }
    Ok(())
}
