//! The callback's query, as a provider, one of our pages or one of our redirects writes it. No other module reads or
//! writes it.

use std::fmt;

use time::OffsetDateTime;
use url::form_urlencoded;

use super::{authorization_response::AuthorizationResponse, parameter::Values};
use crate::server::{clock::is_recent, limits, problem::Problem};

/// Our own parameters, in addition to those of the specification.
const SEALED: &str = "answer";
const WAIT: &str = "wait";
const SPENT: &str = "spent";
const COOKIE_SET: &str = "cookie_set";
const UNREADABLE: &str = "unreadable";

/// A callback's query with exactly one `state` that could be ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackQuery {
    /// The `state`, still sealed.
    pub state: String,
    /// The provider's response.
    pub response: Carried,
    /// The request may be held until the status changes; our own pages set this.
    pub wait: bool,
    /// The attempt is used up, and the request only shows the page that explains this.
    pub spent: bool,
    /// When the redirect to this address set a cookie, in seconds of Unix time.
    pub cookie_set: Option<i64>,
}

/// How a query carries the authorization response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// Not at all: the request only asks for the status.
    Nothing,
    /// As the provider sent it.
    Plain(AuthorizationResponse),
    /// Sealed by us, so that no code appears in our own URLs.
    Sealed(String),
}

impl CallbackQuery {
    /// Reads a query string or a form body. Parameters with other names are ignored (RFC 6749 4.1.2); `axum`'s own
    /// extractor would take the last of duplicates, or respond with an error page of its own.
    ///
    /// # Errors
    /// There is no usable `state`: none, an empty one (the same, RFC 6749 3.1), several, or one with
    /// characters that ours never have.
    pub fn parse(raw: &str) -> Result<Self, Problem> {
        if raw.len() > limits::CALLBACK_QUERY {
            return Err(Problem::AnswerMalformed);
        }
        let [mut state, mut code, mut error, mut description, mut iss, mut sealed] = <[Values; 6]>::default();
        let (mut wait, mut spent, mut cookie_set, mut unreadable) = (false, false, None, false);
        for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
            match &*name {
                "state" => state.add(&value),
                "code" => code.add(&value),
                "error" => error.add(&value),
                "error_description" => description.add(&value),
                "iss" => iss.add(&value),
                SEALED => sealed.add(&value),
                WAIT => wait = true,
                SPENT => spent = true,
                COOKIE_SET => cookie_set = value.parse().ok(),
                UNREADABLE => unreadable = true,
                _ => {}
            }
        }
        let state = match state {
            Values::None if unreadable => return Err(Problem::AnswerMalformed),
            Values::None => return Err(Problem::StateMissing),
            Values::One(state) if state.is_empty() => return Err(Problem::StateMissing),
            Values::One(state) if is_base64url(&state) => state,
            Values::One(_) | Values::Many => return Err(Problem::AnswerMalformed),
        };
        let response = match (AuthorizationResponse::read(code, error, description, iss), sealed) {
            (Some(response), _) => Carried::Plain(response),
            // Anything else was not sealed by us, and would be written into addresses of ours as it is.
            (None, Values::One(sealed)) if is_base64url(&sealed) => Carried::Sealed(sealed),
            (None, _) => Carried::Nothing,
        };
        Ok(Self { state, response, wait, spent, cookie_set })
    }

    /// Whether a query that may not be readable brings an answer of the provider: what explains it is shown at another
    /// address, since a code may be in this one.
    #[must_use]
    pub fn brings_an_answer(raw: &str) -> bool {
        form_urlencoded::parse(raw.as_bytes()).any(|(name, _)| matches!(&*name, "code" | "error"))
    }

    /// The query that shows the page for one without a state of ours: it holds nothing of that.
    #[must_use]
    pub fn that_explains(problem: Problem) -> String {
        match problem {
            Problem::StateMissing => String::new(),
            Problem::AnswerMalformed => format!("{UNREADABLE}=1"),
            _ => Self::unknown().to_string(),
        }
    }

    /// With a state that is none of ours.
    #[must_use]
    pub fn unknown() -> Self {
        Self::question("unknown")
    }

    /// Asks for the status of the sign-in with this `state`.
    #[must_use]
    pub fn question(state: &str) -> Self {
        Self { state: state.to_owned(), response: Carried::Nothing, wait: false, spent: false, cookie_set: None }
    }

    /// The same, but held until the status changes: for a page without JavaScript.
    #[must_use]
    pub fn waiting(self) -> Self {
        Self { wait: true, ..self }
    }

    /// The same, by a redirect that sets a cookie.
    #[must_use]
    pub fn after_a_cookie(self, now: OffsetDateTime) -> Self {
        Self { cookie_set: Some(now.unix_timestamp()), ..self }
    }

    /// Whether the redirect to here has just set a cookie: then a browser that keeps cookies brings it. Later the
    /// address may have been taken to another browser.
    #[must_use]
    pub fn has_just_set_a_cookie(&self, now: OffsetDateTime) -> bool {
        let set = self.cookie_set.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        set.is_some_and(|set| is_recent(set, now, limits::COOKIE_COMES_BACK))
    }

    /// Whether it can be the query of a redirect. Without an answer it always can: a state of ours is no longer than the
    /// longest `return_to` makes it, and the code has to leave the address.
    #[must_use]
    pub fn fits_a_redirect(&self) -> bool {
        !matches!(self.response, Carried::Sealed(_)) || self.to_string().len() <= limits::REDIRECT_QUERY
    }

    /// Whether it contains an authorization response that is not sealed.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        matches!(self.response, Carried::Plain(_))
    }
}

fn is_base64url(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// As written in a URL. A plain response is never written: it is sealed first, or left out.
impl fmt::Display for CallbackQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state={}", self.state)?;
        if let Carried::Sealed(sealed) = &self.response {
            write!(f, "&{SEALED}={sealed}")?;
        }
        if self.spent {
            write!(f, "&{SPENT}=1")?;
        }
        if self.wait {
            write!(f, "&{WAIT}=1")?;
        }
        if let Some(at) = self.cookie_set {
            write!(f, "&{COOKIE_SET}={at}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_exactly_one_valid_state() {
        for (raw, expected) in [
            ("", Problem::StateMissing),
            ("code=a", Problem::StateMissing),
            ("state=", Problem::StateMissing),
            ("state=a&state=b", Problem::AnswerMalformed),
            ("state=a&state=a", Problem::AnswerMalformed),
            ("state=a%20", Problem::AnswerMalformed),
            ("state=%00", Problem::AnswerMalformed),
            ("state=%ff%fe", Problem::AnswerMalformed),
            ("state=a%0d%0a", Problem::AnswerMalformed),
            ("state[$ne]=1", Problem::StateMissing),
            ("STATE=a", Problem::StateMissing),
            ("state%00=a", Problem::StateMissing),
        ] {
            assert_eq!(CallbackQuery::parse(raw), Err(expected), "{raw}");
        }
        let long = |bytes: usize| format!("state=a&x={}", "y".repeat(bytes - "state=a&x=".len()));
        assert!(CallbackQuery::parse(&long(limits::CALLBACK_QUERY)).is_ok());
        assert_eq!(CallbackQuery::parse(&long(limits::CALLBACK_QUERY + 1)), Err(Problem::AnswerMalformed));
    }

    #[test]
    fn only_an_answer_can_be_too_long_for_a_redirect() {
        let question = CallbackQuery::question("a");
        let sealed = |bytes: usize| {
            let answer = "x".repeat(bytes - "state=a&answer=".len());
            CallbackQuery { response: Carried::Sealed(answer), ..question.clone() }
        };
        assert_eq!(sealed(limits::REDIRECT_QUERY).to_string().len(), limits::REDIRECT_QUERY);
        assert!(sealed(limits::REDIRECT_QUERY).fits_a_redirect());
        assert!(!sealed(limits::REDIRECT_QUERY + 1).fits_a_redirect());
        assert!(CallbackQuery::question(&"a".repeat(limits::REDIRECT_QUERY + 1)).fits_a_redirect());
    }

    #[test]
    fn reads_what_it_writes() {
        let question = CallbackQuery::question("abc_-9");
        let sealed = CallbackQuery { response: Carried::Sealed("xyz".into()), ..question.clone() };
        let spent = CallbackQuery { spent: true, ..question.clone() };
        let after = question.clone().after_a_cookie(OffsetDateTime::from_unix_timestamp(1_764_131_480).unwrap());
        for (query, text) in [
            (question.clone(), "state=abc_-9"),
            (question.waiting(), "state=abc_-9&wait=1"),
            (sealed.clone(), "state=abc_-9&answer=xyz"),
            (sealed.waiting(), "state=abc_-9&answer=xyz&wait=1"),
            (spent, "state=abc_-9&spent=1"),
            (after, "state=abc_-9&cookie_set=1764131480"),
        ] {
            assert_eq!(query.to_string(), text);
            assert_eq!(CallbackQuery::parse(text), Ok(query));
        }
    }

    /// Found by fuzzing: a link on a page held whatever a stranger had put there.
    #[test]
    fn what_cannot_be_sealed_by_us_is_not_written() {
        for raw in ["a%26code%3Dx", "a%0d%0aX:y", "%22%3E", "a%20b", "a=", "%C3%BC", "a&answer=a"] {
            let query = CallbackQuery::parse(&format!("state=s&answer={raw}")).unwrap();
            assert_eq!((query.response.clone(), query.to_string()), (Carried::Nothing, "state=s".to_owned()), "{raw}");
        }
    }

    #[test]
    fn a_cookie_was_just_set_only_for_a_moment() {
        let at = OffsetDateTime::from_unix_timestamp(1_764_131_480).unwrap();
        let query = CallbackQuery::question("s").after_a_cookie(at);
        let most = 10;
        for (seconds, just) in [(0, true), (most, true), (most + 1, false)] {
            assert_eq!(query.has_just_set_a_cookie(at + time::Duration::seconds(seconds)), just, "{seconds}");
        }
        assert!(query.has_just_set_a_cookie(at - time::Duration::seconds(60)), "another process's clock");
        assert!(!query.has_just_set_a_cookie(at - time::Duration::seconds(61)));
        for odd in ["", "x", "9223372036854775807", "-9223372036854775808", "99999999999999999999", "253402300799"] {
            let query = CallbackQuery::parse(&format!("state=s&cookie_set={odd}")).unwrap();
            assert!(!query.has_just_set_a_cookie(at), "{odd}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_explained_without_it() {
        for (raw, problem, brings) in [
            ("state=a&state=a&code=c", Problem::AnswerMalformed, true),
            ("code=c", Problem::StateMissing, true),
            ("error=access_denied&state=", Problem::StateMissing, true),
            ("state=a&state=b", Problem::AnswerMalformed, false),
            ("x=y", Problem::StateMissing, false),
        ] {
            assert_eq!(CallbackQuery::parse(raw), Err(problem), "{raw}");
            assert_eq!(CallbackQuery::brings_an_answer(raw), brings, "{raw}");
            let explains = CallbackQuery::that_explains(problem);
            assert_eq!(CallbackQuery::parse(&explains), Err(problem), "{explains}");
            assert!(!CallbackQuery::brings_an_answer(&explains), "or it would be redirected for ever");
        }
    }

    #[test]
    fn a_plain_response_is_never_written() {
        let query = CallbackQuery::parse("state=s&code=secret&iss=https%3A%2F%2Fop.test").unwrap();
        assert!(query.is_plain());
        assert_eq!(query.to_string(), "state=s");
        let both = CallbackQuery::parse("state=s&code=secret&answer=xyz").unwrap();
        assert!(both.is_plain(), "what the provider says counts");
    }
}
