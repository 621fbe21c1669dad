//! Foreign text on its way into a log line or a trace (ASVS 16.4.1).

use super::limits;

/// `text` as one short line of printable ASCII.
pub(crate) fn clip(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(limits::LOGGED_CHARACTERS));
    for character in text.chars() {
        let printable = matches!(character, ' '..='~');
        let width = if printable { 1 } else { character.escape_default().len() };
        if line.len() + width > limits::LOGGED_CHARACTERS {
            break;
        }
        if printable {
            line.push(character);
        } else {
            line.extend(character.escape_default());
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
    fn foreign_text_is_one_short_printable_line() {
        assert_eq!(clip("a\r\nb\u{1b}[31m\u{202e}é"), "a\\r\\nb\\u{1b}[31m\\u{202e}\\u{e9}");
        assert_eq!(clip(&"x".repeat(1_000_000)).len(), 200);
        assert!(clip(&"é".repeat(1_000)).len() <= 200);
    }
}
