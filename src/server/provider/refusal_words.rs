//! What a provider says where it refuses: for the log and the trace, never for the page.

use serde_json::{Map, Value};

use super::strict_json;

/// `error` and `error_description` of a body in JSON or as a form, or what some send in their place. `None` for anything
/// else: a page is of no use in a log.
pub(super) fn of(body: &[u8]) -> Option<String> {
    let body = strict_json::without_mark(body);
    match strict_json::object(body) {
        Ok(object) => of_members(&object.members),
        Err(_) if body.starts_with(b"error=") => {
            let mut form = url::form_urlencoded::parse(body);
            let mut value = |wanted| form.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
            joined([value("error"), value("error_description")])
        }
        Err(_) => plain(body),
    }
}

fn of_members(members: &Map<String, Value>) -> Option<String> {
    /// Parts of the names by which others say the same: `errorCode` and `errorSummary` (Okta), `title` and `detail`
    /// (RFC 9457), `message` (most frameworks).
    const TELLING: [&str; 6] = ["error", "title", "message", "summary", "description", "detail"];
    let text = |name| members.get(name).and_then(Value::as_str).map(str::to_owned);
    match members.get("error") {
        // `{"error": {"type": …, "message": …}}`, as Google and Meta have it.
        Some(Value::Object(error)) => of_members(error),
        Some(Value::String(_)) => joined([text("error"), text("error_description").or_else(|| text("message"))]),
        _ => {
            // `{"errors": [{"message": …}]}`
            let errors = members.get("errors").and_then(Value::as_array);
            if let Some(Value::Object(first)) = errors.and_then(|errors| errors.first()) {
                return of_members(first);
            }
            let is_telling = |name: &str| {
                let name = name.to_ascii_lowercase();
                name == "code" || name == "type" || TELLING.iter().any(|part| name.contains(part))
            };
            let telling = members.iter().filter(|(name, _)| is_telling(name));
            joined(telling.map(|(_, value)| value.as_str().map(str::to_owned)))
        }
    }
}

/// A line of text that is no markup.
fn plain(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let is_a_line = !text.is_empty() && !text.contains(['<', '{', '[', '\n']) && text.chars().all(|c| !c.is_control());
    is_a_line.then(|| text.to_owned())
}

fn joined(words: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let words: Vec<_> = words.into_iter().flatten().filter(|words| !words.trim().is_empty()).collect();
    (!words.is_empty()).then(|| words.join(": "))
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn what_is_said_is_found_wherever_it_stands() {
        for (body, words) in [
            (
                r#"{"error":"invalid_grant","error_description":"Code not valid"}"#,
                Some("invalid_grant: Code not valid"),
            ),
            ("\u{feff}{\"error\":\"invalid_grant\"}", Some("invalid_grant")),
            (r#"{"error":"x","message":"Not today"}"#, Some("x: Not today")),
            (r#"{"error":{"type":"OAuthException","message":"Bad","code":100}}"#, Some("Bad: OAuthException")),
            (r#"{"detail":"No such client","status":403,"title":"Forbidden"}"#, Some("No such client: Forbidden")),
            (r#"{"errorCode":"E0000011","errorSummary":"Invalid token"}"#, Some("E0000011: Invalid token")),
            (r#"{"errors":[{"message":"Not today"}]}"#, Some("Not today")),
            ("no such client", Some("no such client")),
            ("line one\nline two", None),
            (r#"{"error":7,"error_description":"seven"}"#, Some("seven")),
            (r#"{"error":"x","error_description":"\ud800"}"#, Some("x")),
            ("error=invalid_grant&error_description=too+old", Some("invalid_grant: too old")),
            (r#"{"ok":true}"#, None),
            ("<html>error</html>", None),
            ("", None),
            ("[]", None),
        ] {
            assert_eq!(of(body.as_bytes()).as_deref(), words, "{body}");
        }
    }
}
