//! What the metadata list of what is set here. They may be incomplete, since the client's own registration decides: what is not
//! listed is used all the same, and the log says so.

use serde_json::{Map, Value};

use crate::server::log_text::clip;

/// What `member` lists, if that is none of `ours`. A member that is missing, or no list, says nothing.
pub(super) fn unlisted(metadata: &Map<String, Value>, member: &str, ours: &[impl AsRef<str>]) -> Option<String> {
    let listed = metadata.get(member)?.as_array()?;
    let is_ours = |one: &Value| ours.iter().any(|ours| one.as_str() == Some(ours.as_ref()));
    let says = || clip(&listed.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
    (!ours.is_empty() && !listed.iter().any(is_ours)).then(says)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::unlisted;

    #[test]
    fn a_list_without_any_of_ours_is_told() {
        let metadata = json!({ "list": ["a", 5, "b"], "empty": [], "text": "a", "null": null });
        let told = |member: &str, ours: &[&str]| unlisted(metadata.as_object().unwrap(), member, ours);
        assert_eq!(told("list", &["c", "5"]).as_deref(), Some("a b"));
        assert_eq!(told("empty", &["c"]).as_deref(), Some(""));
        assert_eq!(told("list", &["c", "a"]), None);
        assert_eq!(told("list", &[]), None);
        for member in ["text", "null", "missing"] {
            assert_eq!(told(member, &["c"]), None, "{member}");
        }
    }
}
