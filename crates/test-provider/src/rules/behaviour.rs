//! Deviations of the provider from its profile, and how often each happens.

use serde::{Deserialize, Serialize};

use super::{
    edit::Edit,
    fault::{Fault, HeadEdit},
};
use crate::{
    endpoint::{Document, Endpoint},
    keys::{KeyName, PublicKeyForm},
};

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

/// A deviation of the provider from its profile.
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
    /// Another response, none, or one that is sent incorrectly.
    Fault {
        /// Where.
        at: Endpoint,
        /// How.
        fault: Fault,
    },
    /// The right response, with another status line or other headers.
    Head {
        /// Where.
        at: Endpoint,
        /// How.
        edit: HeadEdit,
    },
    /// A JSON response is changed.
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
    IdToken(JwtEdit),
    /// The next person's tokens weigh as in the incident.
    HeavyTokens,
    /// Userinfo is a JWT (`application/jwt`), without `iss` and `aud`, signed as this says.
    SignedUserinfo(JwtEdit),
    /// Sign-out goes another way.
    EndSession(EndSessionFault),
}

/// Another way of sign-out at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndSessionFault {
    /// The `state` comes back with `_INVALID` at its end.
    OtherState,
    /// The `state` does not come back.
    NoState,
    /// The person does not want to, and stays.
    Decline,
    /// The person does not want to, and is sent back as if they had.
    DeclineAndReturn,
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

/// A change to a JWT: the ID token, or signed userinfo.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JwtEdit {
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
    /// Put after the finished token.
    pub append: String,
}

impl JwtEdit {
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

    /// `text` in place of the token.
    #[must_use]
    pub fn whole(text: &str) -> Self {
        Self { whole: Some(text.to_owned()), ..Self::default() }
    }

    /// `text` follows the token.
    #[must_use]
    pub fn append(text: &str) -> Self {
        Self { append: text.to_owned(), ..Self::default() }
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
    /// It is missing, and the dot before it too.
    Missing,
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
    /// `alg: RS512`, and rightly signed so.
    Rs512,
    /// `alg: PS256`, and rightly signed so.
    Ps256,
}
