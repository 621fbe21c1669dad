//! The rules in force: an ordered list, each for the next so many occasions or for good.
//!
//! Of the rules that replace each other (a delay, a hold, a fault), the first live one for an endpoint acts and only it
//! is used up, so that rules queue: 503, 503, then normal again. Rules that change a response all act, in order.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use tokio::sync::watch;

use super::{
    behaviour::{Behaviour, CallbackEdit, EndSessionFault, JwksFault, JwtEdit, Rule},
    edit::Edit,
    fault::{Fault, HeadEdit},
};
use crate::{
    endpoint::{Document, Endpoint},
    lock::lock,
};

/// What the rules say about one request, whatever the right response is.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) delay: Option<Duration>,
    pub(crate) hold: Option<Hold>,
    pub(crate) fault: Option<Fault>,
    pub(crate) head: Vec<HeadEdit>,
}

/// Ends at the next release of its endpoint.
pub(crate) struct Hold {
    endpoint: Endpoint,
    generation: u64,
    releases: watch::Receiver<BTreeMap<Endpoint, u64>>,
}

impl Hold {
    pub(crate) async fn released(mut self) {
        let of = |releases: &BTreeMap<Endpoint, u64>| releases.get(&self.endpoint).copied().unwrap_or_default();
        // An error means that the provider is gone: then nobody waits.
        let _ = self.releases.wait_for(|releases| of(releases) > self.generation).await;
    }
}

/// The rules in force, and how often each endpoint was released.
pub(crate) struct Rules {
    list: Mutex<Vec<Rule>>,
    releases: watch::Sender<BTreeMap<Endpoint, u64>>,
}

impl Rules {
    pub(crate) fn new() -> Self {
        Self { list: Mutex::default(), releases: watch::Sender::default() }
    }

    pub(crate) fn add(&self, rule: Rule) {
        lock(&self.list).push(rule);
    }

    pub(crate) fn clear(&self) {
        let mut list = lock(&self.list);
        list.clear();
        self.releases.send_modify(|releases| {
            for endpoint in Endpoint::ALL {
                *releases.entry(endpoint).or_default() += 1;
            }
        });
    }

    /// Ends every hold at `endpoint`.
    pub(crate) fn release(&self, endpoint: Endpoint) {
        let mut list = lock(&self.list);
        list.retain(|rule| !matches!(rule.behaviour, Behaviour::Hold { at } if at == endpoint));
        self.releases.send_modify(|releases| *releases.entry(endpoint).or_default() += 1);
    }

    pub(crate) fn plan(&self, endpoint: Endpoint) -> Plan {
        // Under one lock with the reading of the generation, or a release in between would be missed.
        let mut list = lock(&self.list);
        let delay = first(&mut list, |behaviour| match behaviour {
            Behaviour::Delay { at, ms } if *at == endpoint => Some(Duration::from_millis(*ms)),
            _ => None,
        });
        let hold = first(&mut list, |behaviour| match behaviour {
            Behaviour::Hold { at } if *at == endpoint => Some(Hold {
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
        Plan { delay, hold, fault, head }
    }

    pub(crate) fn edits(&self, document: Document) -> Vec<Edit> {
        all(&mut lock(&self.list), |behaviour| match behaviour {
            Behaviour::Edit { of, edit } if *of == document => Some(edit.clone()),
            _ => None,
        })
    }

    pub(crate) fn jwks(&self) -> Option<JwksFault> {
        first(&mut lock(&self.list), |behaviour| match behaviour {
            Behaviour::Jwks(fault) => Some(*fault),
            _ => None,
        })
    }

    pub(crate) fn callback(&self) -> Vec<CallbackEdit> {
        all(&mut lock(&self.list), |behaviour| match behaviour {
            Behaviour::Callback(edit) => Some(edit.clone()),
            _ => None,
        })
    }

    pub(crate) fn id_token(&self) -> Vec<JwtEdit> {
        all(&mut lock(&self.list), |behaviour| match behaviour {
            Behaviour::IdToken(edit) => Some(edit.clone()),
            _ => None,
        })
    }

    pub(crate) fn heavy_tokens(&self) -> bool {
        let heavy = |behaviour: &Behaviour| matches!(behaviour, Behaviour::HeavyTokens).then_some(());
        first(&mut lock(&self.list), heavy).is_some()
    }

    pub(crate) fn end_session(&self) -> Option<EndSessionFault> {
        first(&mut lock(&self.list), |behaviour| match behaviour {
            Behaviour::EndSession(fault) => Some(*fault),
            _ => None,
        })
    }

    pub(crate) fn signed_userinfo(&self) -> Option<JwtEdit> {
        first(&mut lock(&self.list), |behaviour| match behaviour {
            Behaviour::SignedUserinfo(edit) => Some(edit.clone()),
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
