//! The authorization response (RFC 6749 4.1.2), parsed strictly: `axum`'s own extractor takes the last of duplicates
//! or answers with a page of its own.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::form_urlencoded;

use super::state::Received;
use crate::server::{
    clock::{System, from_millis, to_millis},
    ids::CodeHash,
    seal::{Keyring, Purpose},
};

/// The longest query or form that is read, in bytes. nginx's default for a whole request line is 8 KiB.
pub const LONGEST: usize = 8 * 1024;
/// The longest value of one parameter, in bytes as decoded.
const LONGEST_VALUE: usize = 6 * 1024;

/// What came to the callback, before anything in it is believed.
#[derive(Debug)]
pub struct Callback {
    /// The `state`, if there was exactly one that could be ours.
    pub state: Result<String, NoState>,
    /// What the provider said; `None` where the request only asks how the attempt stands.
    pub answer: Option<Answer>,
    /// An answer of ours, sealed on its way from one of our URLs to the next.
    sealed: Option<String>,
    /// Whether the request may be held until there is news (our own pages ask for it).
    pub hold: bool,
    /// The request is about an answer that came too late; it is explained again, and nothing else.
    pub spent: bool,
}

/// Why there is no `state` to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoState {
    /// Missing or empty, which is the same (RFC 6749 3.1).
    Missing,
    /// More than one, or one with characters that ours never have.
    Malformed,
}

/// The provider's answer for one attempt.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A code to redeem.
    Code {
        /// The code: 1 or more characters of `%x20-7E` (RFC 6749 A.11).
        code: String,
        /// `iss` (RFC 9207).
        iss: Option<String>,
    },
    /// An error, also where a code came with it.
    Error {
        /// The code of the error, as sent (at most 64 characters, `%x20-7E`).
        error: String,
        /// `iss` (RFC 9207).
        iss: Option<String>,
    },
    /// Something else: duplicates, characters that cannot be, too long.
    Malformed,
}

impl Answer {
    /// The hash that the claim keeps; of the empty string where the answer has no code.
    #[must_use]
    pub fn code_hash(&self) -> CodeHash {
        match self {
            Self::Code { code, .. } => CodeHash::of(code.as_bytes()),
            Self::Error { .. } | Self::Malformed => CodeHash::of(b""),
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code { .. } => "Answer::Code(…)",
            Self::Error { .. } => "Answer::Error(…)",
            Self::Malformed => "Answer::Malformed",
        })
    }
}

/// Every value of one parameter: all that matters is whether there is none, one or more.
#[derive(Default)]
enum Values {
    #[default]
    None,
    One(String),
    Many,
}

impl Values {
    fn add(&mut self, value: &str) {
        *self = match self {
            Self::None => Self::One(value.to_owned()),
            Self::One(_) | Self::Many => Self::Many,
        };
    }
}

impl Callback {
    /// Reads a query string or a form body. Parameters with other names are ignored (RFC 6749 4.1.2).
    #[must_use]
    pub fn parse(raw: &str) -> Self {
        if raw.len() > LONGEST {
            return Self { state: Err(NoState::Malformed), answer: None, sealed: None, hold: false, spent: false };
        }
        let [mut state, mut code, mut error, mut iss, mut sealed] = <[Values; 5]>::default();
        let (mut hold, mut spent) = (false, false);
        for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
            match &*name {
                "state" => state.add(&value),
                "code" => code.add(&value),
                "error" => error.add(&value),
                "iss" => iss.add(&value),
                SEALED => sealed.add(&value),
                HOLD => hold = true,
                SPENT => spent = true,
                _ => {}
            }
        }
        let state = match state {
            Values::None => Err(NoState::Missing),
            Values::One(state) if state.is_empty() => Err(NoState::Missing),
            Values::One(state) if state.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') => {
                Ok(state)
            }
            Values::One(_) | Values::Many => Err(NoState::Malformed),
        };
        let sealed = if let Values::One(sealed) = sealed { Some(sealed) } else { None };
        Self { state, answer: answer(code, error, iss), sealed, hold, spent }
    }

    /// The answer this request carries, plain or sealed by us for this very attempt, and when it first came.
    #[must_use]
    pub fn answer_for(
        &self,
        received: &Received,
        keys: &Keyring,
        now: OffsetDateTime,
    ) -> Option<(Answer, OffsetDateTime)> {
        if let Some(answer) = &self.answer {
            return Some((answer.clone(), now));
        }
        let context = received.envelope.attempt;
        let (answer, came) =
            keys.open::<(Answer, i64)>(Purpose::Answer, context.as_bytes(), self.sealed.as_deref()?)?.value;
        Some((answer, from_millis(came)?))
    }
}

/// The parameter that carries a sealed answer.
pub const SEALED: &str = "answer";
/// The parameter by which our own pages allow the answer to be held for the patience.
pub const HOLD: &str = "wait";

/// The parameter by which the page about a late answer is asked for again.
pub const SPENT: &str = "spent";

/// The callback's query with the answer, which first `came` at that time, sealed: no code stands in an address.
#[must_use]
pub fn resealed(
    state: &str,
    (answer, came): (&Answer, OffsetDateTime),
    received: &Received,
    keys: &Keyring,
    system: &System,
) -> String {
    let sealed = keys.seal(Purpose::Answer, received.envelope.attempt.as_bytes(), &(answer, to_millis(came)), system);
    format!("state={state}&{SEALED}={sealed}")
}

fn answer(code: Values, error: Values, iss: Values) -> Option<Answer> {
    let iss = match iss {
        Values::None => None,
        Values::One(iss) if fits(&iss) => Some(iss),
        Values::One(_) | Values::Many => return Some(Answer::Malformed),
    };
    match (code, error) {
        (Values::None, Values::None) if iss.is_none() => None,
        (Values::Many, _) | (_, Values::Many) => Some(Answer::Malformed),
        // Both: an error is an error, and the code is not sent anywhere.
        (_, Values::One(error)) if fits(&error) => Some(Answer::Error { error: error.chars().take(64).collect(), iss }),
        (Values::One(code), Values::None) if fits(&code) => Some(Answer::Code { code, iss }),
        _ => Some(Answer::Malformed),
    }
}

/// VSCHAR, 1 or more (RFC 6749 A).
fn fits(value: &str) -> bool {
    !value.is_empty() && value.len() <= LONGEST_VALUE && value.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

/// The answer's code, for tests and nobody else.
#[cfg(test)]
fn code_of(answer: &Answer) -> Option<&str> {
    if let Answer::Code { code, .. } = answer { Some(code) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_code() {
        let callback = Callback::parse("code=a%2Fb&iss=https%3A%2F%2Fop.test&scope=openid&state=abc_-9&foo=1&bar[]=2");
        assert_eq!(callback.state, Ok("abc_-9".to_owned()));
        let answer = callback.answer.unwrap();
        assert_eq!(code_of(&answer), Some("a/b"));
        assert!(!format!("{answer:?}").contains("a/b"), "a code never prints itself");
    }

    #[test]
    fn judges_the_state_alone() {
        for (raw, expected) in [
            ("", NoState::Missing),
            ("code=a", NoState::Missing),
            ("state=", NoState::Missing),
            ("state=a&state=b", NoState::Malformed),
            ("state=a&state=a", NoState::Malformed),
            ("state=a%20", NoState::Malformed),
            ("state=%00", NoState::Malformed),
            ("state=%ff%fe", NoState::Malformed),
            ("state=a%0d%0a", NoState::Malformed),
            ("state[$ne]=1", NoState::Missing),
            ("STATE=a", NoState::Missing),
            ("state%00=a", NoState::Missing),
        ] {
            assert_eq!(Callback::parse(raw).state, Err(expected), "{raw}");
        }
        assert_eq!(Callback::parse(&format!("state=a&x={}", "y".repeat(LONGEST))).state, Err(NoState::Malformed));
    }

    #[test]
    fn a_spoilt_answer_is_malformed_and_not_somebody_elses() {
        for raw in [
            "code=a&code=b",
            "code=a&code=a",
            "iss=a&iss=a&code=c",
            "error=a&error=b",
            "code=",
            "code=%00",
            "code=%ff",
            "code=a%0d%0ab",
            "error=",
            "error=%1b[31m",
            "iss=https://op.test",
            "iss=",
            "code=a&iss=",
            "code=%ed%a0%80",
        ] {
            let callback = Callback::parse(&format!("state=s&{raw}"));
            assert_eq!(callback.state, Ok("s".to_owned()), "{raw}");
            assert_eq!(callback.answer, Some(Answer::Malformed), "{raw}");
        }
    }

    #[test]
    fn an_error_wins_over_a_code_and_nothing_is_no_answer() {
        let answer = Callback::parse("state=s&code=a&error=access_denied").answer;
        assert_eq!(answer, Some(Answer::Error { error: "access_denied".into(), iss: None }));
        assert_eq!(Callback::parse("state=s").answer, None);
        assert_eq!(Callback::parse("state=s&id_token=x&access_token=y").answer, None);
    }

    #[test]
    fn a_code_of_four_kilobytes_is_legal() {
        let code = "c".repeat(4096);
        let answer = Callback::parse(&format!("state=s&code={code}")).answer.unwrap();
        assert_eq!(code_of(&answer), Some(&*code));
    }
}
