//! Faults in words: stable codes, and details that are safe to log.

use super::ProviderFault;

/// Characters of a detail that are kept.
const DETAIL: usize = 200;

impl ProviderFault {
    /// The stable code of the fault, as in log, trace and on the page.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "provider_unreachable",
            Self::Tls(_) => "provider_tls",
            Self::Slow(_) => "provider_slow",
            Self::ServerError { .. } => "provider_server_error",
            Self::BadAnswer { .. } => "provider_bad_answer",
            Self::Metadata(_) => "provider_metadata",
            Self::Keys(_) => "provider_keys",
            Self::Busy { .. } => "provider_busy",
            Self::CodeRefused(_) => "code_refused",
            Self::ClientRefused { .. } => "client_refused",
            Self::TokenRefused(_) => "token_refused",
            Self::TokenResponse(_) => "token_response_invalid",
            Self::IdToken(_) => "id_token_invalid",
            Self::UserinfoUnavailable(_) => "userinfo_unavailable",
            Self::UserinfoInvalid(_) => "userinfo_invalid",
            Self::IssuerMismatch => "issuer_mismatch",
        }
    }

    /// Whether it says that the provider does not work, rather than what it thinks of a sign-in.
    pub(super) const fn is_trouble(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Tls(_)
                | Self::Slow(_)
                | Self::ServerError { .. }
                | Self::BadAnswer { .. }
                | Self::Busy { .. }
        )
    }
}

/// Foreign text as one short line of printable ASCII: it may end up in a log (ASVS 16.4.1).
pub(super) fn clip(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(DETAIL));
    for character in text.chars() {
        let printable = matches!(character, ' '..='~');
        let width = if printable { 1 } else { character.escape_default().len() };
        if line.len() + width > DETAIL {
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

/// `error` and what caused it, without the URL (which the operator knows, and which may have a query).
pub(super) fn causes(error: &dyn std::error::Error) -> String {
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
