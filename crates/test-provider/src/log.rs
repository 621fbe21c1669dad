//! Every request and its status, with every secret in it: a test's log, in memory only.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Mutex,
};

use http::{HeaderMap, Method};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::{endpoint::Endpoint, form::Form, lock::lock};

/// The demo runs for days; a test never gets here.
const MOST_LOGGED: usize = 10_000;

/// One request, as it arrived.
#[derive(Clone, Debug, Serialize)]
pub struct LoggedRequest {
    /// Its number, from 0.
    pub number: u64,
    /// When its last byte had been read; in JSON, milliseconds since 1970.
    #[serde(serialize_with = "milliseconds")]
    pub at: OffsetDateTime,
    /// Whose connection it came on.
    pub peer: SocketAddr,
    /// The method.
    pub method: String,
    /// The path, without query.
    pub path: String,
    /// Where that is.
    pub endpoint: Endpoint,
    /// The query's parameters, in order.
    pub query: Vec<(String, String)>,
    /// The headers, in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's parameters, in order.
    pub form: Vec<(String, String)>,
    /// Bytes of request line and headers.
    pub head_bytes: usize,
    /// The response's status; `None` before there is one, and for good if none was sent.
    pub status: Option<u16>,
}

impl LoggedRequest {
    /// The first header of this name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The first parameter of this name in the body.
    #[must_use]
    pub fn form(&self, name: &str) -> Option<&str> {
        find(&self.form, name)
    }

    /// The first parameter of this name in the query.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }
}

fn milliseconds<S: Serializer>(at: &OffsetDateTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(at.unix_timestamp() * 1000 + i64::from(at.millisecond()))
}

fn find<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
}

/// How often a code was brought to the token endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Redemption {
    /// The code.
    pub code: String,
    /// Token requests with it.
    pub presented: usize,
    /// Those answered 200.
    pub redeemed: usize,
}

#[derive(Default)]
struct Logged {
    next: u64,
    requests: VecDeque<LoggedRequest>,
}

#[derive(Default)]
pub(crate) struct RequestLog {
    logged: Mutex<Logged>,
    counts: watch::Sender<BTreeMap<Endpoint, usize>>,
}

/// What the wire knows of a request.
pub(crate) struct Arrival<'r> {
    pub(crate) at: OffsetDateTime,
    pub(crate) peer: SocketAddr,
    pub(crate) method: &'r Method,
    pub(crate) path: &'r str,
    pub(crate) query: &'r str,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) head_bytes: usize,
    pub(crate) body: &'r [u8],
}

impl RequestLog {
    /// Notes the request and gives its number.
    pub(crate) fn arrived(&self, endpoint: Endpoint, arrival: &Arrival<'_>) -> u64 {
        let mut logged = lock(&self.logged);
        let number = logged.next;
        logged.next += 1;
        if logged.requests.len() == MOST_LOGGED {
            logged.requests.pop_front();
        }
        logged.requests.push_back(LoggedRequest {
            number,
            at: arrival.at,
            peer: arrival.peer,
            method: arrival.method.to_string(),
            path: arrival.path.to_owned(),
            endpoint,
            query: Form::parse(arrival.query.as_bytes()).into_pairs(),
            headers: arrival
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
            form: Form::parse(arrival.body).into_pairs(),
            head_bytes: arrival.head_bytes,
            status: None,
        });
        self.counts.send_modify(|counts| *counts.entry(endpoint).or_default() += 1);
        number
    }

    pub(crate) fn answered(&self, number: u64, status: u16) {
        if let Some(request) = lock(&self.logged).requests.iter_mut().rfind(|request| request.number == number) {
            request.status = Some(status);
        }
    }

    pub(crate) fn all(&self) -> Vec<LoggedRequest> {
        lock(&self.logged).requests.iter().cloned().collect()
    }

    pub(crate) fn forget(&self) {
        lock(&self.logged).requests.clear();
        self.counts.send_modify(BTreeMap::clear);
    }

    pub(crate) fn count(&self, endpoint: Endpoint) -> usize {
        self.counts.borrow().get(&endpoint).copied().unwrap_or_default()
    }

    /// Returns once `n` requests have reached `endpoint` since the log was last cleared.
    pub(crate) async fn wait_for(&self, endpoint: Endpoint, n: usize) {
        let mut counts = self.counts.subscribe();
        // The sender lives as long as `self`.
        let _ = counts.wait_for(|counts| counts.get(&endpoint).copied().unwrap_or_default() >= n).await;
    }

    pub(crate) fn redemptions(&self) -> Vec<Redemption> {
        let mut found: Vec<Redemption> = Vec::new();
        for request in lock(&self.logged).requests.iter().filter(|request| request.endpoint == Endpoint::Token) {
            let Some(code) = request.form("code") else { continue };
            let redeemed = usize::from(request.status == Some(200));
            match found.iter_mut().find(|redemption| redemption.code == code) {
                Some(redemption) => {
                    redemption.presented += 1;
                    redemption.redeemed += redeemed;
                }
                None => found.push(Redemption { code: code.to_owned(), presented: 1, redeemed }),
            }
        }
        found
    }
}
