//! Foreign text on its way into a log line or a trace (ASVS 16.4.1).

use super::limits;
use crate::visible::is_hidden;

/// `text` as one short line: letters of every script as they are, and what is not seen in its place as an escape.
pub(crate) fn clip(text: &str) -> String {
    clip_to(text, limits::LOGGED_CHARACTERS)
}

/// The same, of at most `most` characters.
pub(crate) fn clip_to(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(most));
    let mut left = most;
    for character in text.chars() {
        let escaped = is_hidden(character).then(|| character.escape_default());
        let width = escaped.as_ref().map_or(1, ExactSizeIterator::len);
        if width > left {
            break;
        }
        left -= width;
        match escaped {
            Some(escaped) => line.extend(escaped),
            None => line.push(character),
        }
    }
    line
}

/// `error` and its causes, each once, clipped.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let this = error.to_string();
        if !text.ends_with(&this) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&this);
        }
        next = error.source();
    }
    clip(&text)
}

#[cfg(test)]
mod tests {
    use super::clip;

    #[test]
    fn foreign_text_is_one_short_line_that_can_be_read() {
        assert_eq!(
            clip("a\r\nb\u{1b}[31m\u{202e}é \"x\" \u{200b}日本"),
            "a\\r\\nb\\u{1b}[31m\\u{202e}é \"x\" \\u{200b}日本"
        );
        assert_eq!(clip(&"x".repeat(1_000_000)).len(), 200);
        assert_eq!(clip(&"é".repeat(1_000)).chars().count(), 200);
        assert!(clip(&"\u{202e}".repeat(1_000)).len() <= 200);
    }
}
