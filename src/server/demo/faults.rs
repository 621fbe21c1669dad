//! Misbehaviour on request: an ordered list of rules, each for the next so many occasions or for good.
//!
//! Of the rules that replace each other (a delay, a hold, a fault), the first live one for an endpoint acts and only it
//! is used up, so that rules queue: 503, 503, then well again. Rules that change an answer all act, in order.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::{
    edit::Edit,
    keys::{KeyName, PublicKeyForm},
};

/// Where a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/.well-known/openid-configuration`.
    Discovery,
    /// The key set.
    Jwks,
    /// The authorization endpoint.
    Authorize,
    /// Where the login form goes.
    Login,
    /// The token endpoint.
    Token,
    /// The userinfo endpoint.
    Userinfo,
    /// Anything else.
    Other,
}

/// A JSON answer that can be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Document {
    /// The provider's metadata.
    Discovery,
    /// The key set.
    Jwks,
    /// The token endpoint's answer, errors too.
    Token,
    /// The claims at userinfo.
    Userinfo,
    /// The payload of a JWT access token.
    AccessToken,
}

/// One behaviour, and how often.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// For so many occasions; `None`: until `behave_well`.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub behaviour: Behaviour,
}

impl Rule {
    /// From now on.
    #[must_use]
    pub fn standing(behaviour: Behaviour) -> Self {
        Self { times: None, behaviour }
    }

    /// Once.
    #[must_use]
    pub fn once(behaviour: Behaviour) -> Self {
        Self::times(1, behaviour)
    }

    /// On the next `n` occasions.
    #[must_use]
    pub fn times(n: u32, behaviour: Behaviour) -> Self {
        Self { times: Some(n), behaviour }
    }
}

/// What the provider does otherwise than its profile says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// Requests are looked at only after so many milliseconds.
    Delay {
        /// Where.
        at: Endpoint,
        /// How long.
        ms: u64,
    },
    /// Requests are looked at only after `release`.
    Hold {
        /// Where.
        at: Endpoint,
    },
    /// The answer is another, or none, or badly sent.
    Fault {
        /// Where.
        at: Endpoint,
        /// How.
        fault: Fault,
    },
    /// The right answer, with another status line or other headers.
    Head {
        /// Where.
        at: Endpoint,
        /// How.
        edit: HeadEdit,
    },
    /// A JSON answer is changed.
    Edit {
        /// Which.
        of: Document,
        /// How.
        edit: Edit,
    },
    /// The key set is another.
    Jwks(JwksFault),
    /// The authorization response is changed.
    Callback(CallbackEdit),
    /// The ID token is changed.
    IdToken(IdTokenEdit),
    /// The next person's tokens weigh as in the incident.
    HeavyTokens,
    /// Userinfo is answered as a JWT (`application/jwt`), signed with this key, without `iss` and `aud`.
    SignedUserinfo(KeyName),
}

/// What comes in place of the right answer. Unless said otherwise the request is not looked at, so a code stays good.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Another answer.
    Answer {
        /// The status.
        status: u16,
        /// All headers but the length.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body.
        #[serde(default)]
        body: String,
    },
    /// JSON of so many bytes.
    Oversized {
        /// How many.
        bytes: usize,
    },
    /// `Content-Encoding: gzip`, and so many megabytes of zeros in it.
    GzipBomb {
        /// How many, unpacked.
        megabytes: usize,
    },
    /// These bytes (base64) on the connection, then its end: no HTTP need be in them.
    Wire {
        /// The bytes.
        base64: String,
    },
    /// 200 and JSON, and no end of it.
    EndlessBody,
    /// Never an answer; the connection stays open.
    NeverAnswer,
    /// The connection ends before the body of the request is read.
    CloseBeforeReading,
    /// The connection ends after the request was read.
    CloseUnprocessed,
    /// The request is processed (a code is spent), then the connection ends without an answer.
    CloseProcessed,
    /// The connection is reset after the request was read.
    Reset,
    /// The right answer, cut off after so many bytes of its body, its length announced in full.
    Truncated {
        /// How many bytes.
        keep: usize,
    },
    /// The right answer, a byte of its head in so many milliseconds.
    SlowHead {
        /// For each byte.
        ms: u64,
    },
    /// The right answer, a byte of its body in so many milliseconds.
    SlowBody {
        /// For each byte.
        ms: u64,
    },
}

impl Fault {
    /// An answer without content type and body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: String::new() }
    }

    /// An HTML page.
    #[must_use]
    pub fn html(status: u16) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: "<!DOCTYPE html><title>A page</title><h1>Not what was asked for</h1>".to_owned(),
        }
    }

    /// JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    /// 429 or 503 with `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(status: u16, seconds: u32) -> Self {
        Self::Answer { status, headers: vec![("retry-after".to_owned(), seconds.to_string())], body: String::new() }
    }

    /// A redirect, for instance to another, recording provider.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::Answer { status, headers: vec![("location".to_owned(), location.to_owned())], body: String::new() }
    }
}

/// A change to status and headers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadEdit {
    /// Another status.
    pub status: Option<u16>,
    /// Headers given this value.
    pub set: Vec<(String, String)>,
    /// Headers taken away.
    pub remove: Vec<String>,
}

impl HeadEdit {
    /// Another content type.
    #[must_use]
    pub fn content_type(value: &str) -> Self {
        Self { set: vec![("content-type".to_owned(), value.to_owned())], ..Self::default() }
    }
}

/// Another key set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JwksFault {
    /// `{"keys":[]}`.
    Empty,
    /// Thousands of keys of no use before the right ones.
    Huge,
    /// Keys of unknown kinds, curves and uses beside the right ones.
    Extra,
    /// No key has a `kid`.
    WithoutKid,
    /// The right names, with a stranger's key behind them.
    Poisoned,
}

/// A change to the authorization response, before it is sent to the client.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackEdit {
    /// An error in place of the code.
    Error {
        /// `error`, any text.
        code: String,
        /// `error_description`.
        #[serde(default)]
        description: Option<String>,
    },
    /// The parameter has this value.
    Set(String, String),
    /// The parameter is there once more, last, with this value.
    Add(String, String),
    /// The parameter is there twice, with the same value.
    Repeat(String),
    /// The parameter is missing.
    Remove(String),
    /// The whole query, as it stands.
    Raw(String),
    /// A code of so many bytes, which can be redeemed.
    LongCode(usize),
    /// A page that posts itself (Form Post Response Mode), unasked.
    FormPost,
}

/// A change to the ID token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdTokenEdit {
    /// The 2048-bit key rotates before the signing.
    pub rotate_first: bool,
    /// Signed with this key; `alg` and `kid` follow.
    pub key: Option<KeyName>,
    /// The signature is another.
    pub signature: Option<SignatureFault>,
    /// The header.
    pub header: Edit,
    /// The payload.
    pub claims: Edit,
    /// The finished token is replaced by this text.
    pub whole: Option<String>,
}

impl IdTokenEdit {
    /// Other claims, well signed.
    #[must_use]
    pub fn claims(edit: Edit) -> Self {
        Self { claims: edit, ..Self::default() }
    }

    /// Another header, well signed.
    #[must_use]
    pub fn header(edit: Edit) -> Self {
        Self { header: edit, ..Self::default() }
    }

    /// Signed with another key.
    #[must_use]
    pub fn key(key: KeyName) -> Self {
        Self { key: Some(key), ..Self::default() }
    }

    /// Another signature.
    #[must_use]
    pub fn signature(fault: SignatureFault) -> Self {
        Self { signature: Some(fault), ..Self::default() }
    }
}

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureFault {
    /// One bit of it.
    FlippedBit,
    /// Half of it is missing.
    Truncated,
    /// It is empty.
    Empty,
    /// All zeros (CVE-2022-21449 on a curve).
    Zeroed,
    /// `alg: none`, and no signature.
    Unsigned,
    /// `alg: HS256` with the client secret.
    ClientSecret,
    /// `alg: HS256` with the public key.
    PublicKey(PublicKeyForm),
    /// The right signature of another payload.
    OtherPayload,
}

/// What the rules say about one request.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) delay: Option<Duration>,
    pub(super) gate: Option<Gate>,
    pub(super) fault: Option<Fault>,
    pub(super) head: Vec<HeadEdit>,
}

/// Opens at the next release of its endpoint.
pub(super) struct Gate {
    endpoint: Endpoint,
    generation: u64,
    releases: watch::Receiver<BTreeMap<Endpoint, u64>>,
}

impl Gate {
    pub(super) async fn opened(mut self) {
        let of = |releases: &BTreeMap<Endpoint, u64>| releases.get(&self.endpoint).copied().unwrap_or_default();
        // An error means that the provider is gone: nothing is held any more.
        let _ = self.releases.wait_for(|releases| of(releases) > self.generation).await;
    }
}

/// The rules in force.
pub(super) struct Rules {
    list: Mutex<Vec<Rule>>,
    releases: watch::Sender<BTreeMap<Endpoint, u64>>,
}

impl Rules {
    pub(super) fn new() -> Self {
        Self { list: Mutex::default(), releases: watch::Sender::default() }
    }

    pub(super) fn add(&self, rule: Rule) {
        lock(&self.list).push(rule);
    }

    pub(super) fn clear(&self) {
        let mut list = lock(&self.list);
        list.clear();
        self.releases.send_modify(|releases| {
            for endpoint in [
                Endpoint::Discovery,
                Endpoint::Jwks,
                Endpoint::Authorize,
                Endpoint::Login,
                Endpoint::Token,
                Endpoint::Userinfo,
                Endpoint::Other,
            ] {
                *releases.entry(endpoint).or_default() += 1;
            }
        });
    }

    /// Ends every hold at `endpoint`.
    pub(super) fn release(&self, endpoint: Endpoint) {
        let mut list = lock(&self.list);
        list.retain(|rule| !matches!(rule.behaviour, Behaviour::Hold { at } if at == endpoint));
        self.releases.send_modify(|releases| *releases.entry(endpoint).or_default() += 1);
    }

    pub(super) fn plan(&self, endpoint: Endpoint) -> Plan {
        // Under one lock with the reading of the generation, or a release in between would be missed.
        let mut list = lock(&self.list);
        let delay = first(&mut list, |behaviour| match behaviour {
            Behaviour::Delay { at, ms } if *at == endpoint => Some(Duration::from_millis(*ms)),
            _ => None,
        });
        let gate = first(&mut list, |behaviour| match behaviour {
            Behaviour::Hold { at } if *at == endpoint => Some(Gate {
                endpoint,
                generation: self.releases.borrow().get(&endpoint).copied().unwrap_or_default(),
                releases: self.releases.subscribe(),
            }),
            _ => None,
        });
        let fault = first(&mut list, |behaviour| match behaviour {
            Behaviour::Fault { at, fault } if *at == endpoint => Some(fault.clone()),
            _ => None,
        });
        let head = all(&mut list, |behaviour| match behaviour {
            Behaviour::Head { at, edit } if *at == endpoint => Some(edit.clone()),
            _ => None,
        });
        Plan { delay, gate, fault, head }
    }

    pub(super) fn edits(&self, document: Document) -> Vec<Edit> {
        all(&mut lock(&self.list), |behaviour| match behaviour {
            Behaviour::Edit { of, edit } if *of == document => Some(edit.clone()),
            _ => None,
        })
    }

    pub(super) fn jwks(&self) -> Option<JwksFault> {
        first(&mut lock(&self.list), |behaviour| match behaviour {
            Behaviour::Jwks(fault) => Some(*fault),
            _ => None,
        })
    }

    pub(super) fn callback(&self) -> Vec<CallbackEdit> {
        all(&mut lock(&self.list), |behaviour| match behaviour {
            Behaviour::Callback(edit) => Some(edit.clone()),
            _ => None,
        })
    }

    pub(super) fn id_token(&self) -> Vec<IdTokenEdit> {
        all(&mut lock(&self.list), |behaviour| match behaviour {
            Behaviour::IdToken(edit) => Some(edit.clone()),
            _ => None,
        })
    }

    pub(super) fn heavy_tokens(&self) -> bool {
        let heavy = |behaviour: &Behaviour| matches!(behaviour, Behaviour::HeavyTokens).then_some(());
        first(&mut lock(&self.list), heavy).is_some()
    }

    pub(super) fn signed_userinfo(&self) -> Option<KeyName> {
        first(&mut lock(&self.list), |behaviour| match behaviour {
            Behaviour::SignedUserinfo(key) => Some(*key),
            _ => None,
        })
    }
}

/// The first rule that fits acts and is used up by one.
fn first<T>(list: &mut Vec<Rule>, fits: impl Fn(&Behaviour) -> Option<T>) -> Option<T> {
    let (place, found) =
        list.iter().enumerate().find_map(|(place, rule)| fits(&rule.behaviour).map(|found| (place, found)))?;
    if list.get_mut(place).is_some_and(is_spent) {
        list.remove(place);
    }
    Some(found)
}

/// Every rule that fits acts and is used up by one.
fn all<T>(list: &mut Vec<Rule>, fits: impl Fn(&Behaviour) -> Option<T>) -> Vec<T> {
    let mut found = Vec::new();
    list.retain_mut(|rule| match fits(&rule.behaviour) {
        Some(fit) => {
            found.push(fit);
            !is_spent(rule)
        }
        None => true,
    });
    found
}

/// Uses the rule once and says whether that was the last time.
fn is_spent(rule: &mut Rule) -> bool {
    rule.times.as_mut().is_some_and(|left| {
        *left = left.saturating_sub(1);
        *left == 0
    })
}

/// Nothing here leaves a value half changed, so a panic elsewhere is no reason to stop.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
