//! Who gets in: the first rule that matches decides, for each reading of the path, and the strictest of these answers holds.

use unicode_normalization::UnicodeNormalization as _;

use super::{asked::Asked, path::Unreadable};
use crate::server::{
    application::{Access, Members, Rule, RuleAccess, RulePath, Site},
    email_address::{EmailAddress, is_same_composed},
    ids::ProviderId,
    store::Role,
};

/// What the rules look at in a person.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// The unique name; empty if there is none.
    pub username: &'a str,
    /// What they may do.
    pub role: Role,
    /// The address, if it is verified.
    pub email: Option<&'a EmailAddress>,
    /// As the provider named them.
    pub groups: &'a [String],
    /// Who says so.
    pub provider: &'a ProviderId,
}

/// What the rules say about a request.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// Who gets in. Where it is [`Access::SignedIn`], [`admits`](Self::admits) says whether a person does.
    pub access: Access,
    /// What decided that.
    pub by: Decided<'a>,
    /// What else a person has to pass: other rules, on other readings.
    more: Vec<Decided<'a>>,
}

/// What decided, and on which reading.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// What decided.
    pub by: By,
    /// The path as it was read.
    pub reading: &'a str,
    members: Option<&'a Members>,
}

impl Decided<'_> {
    /// As an operator finds it in the settings.
    #[must_use]
    pub fn named(&self, site: &Site) -> String {
        let (app, rules) = (site.index, &site.application.rules);
        match self.by {
            By::Rule(rule) | By::Addresses(rule) => {
                let addresses = if matches!(self.by, By::Addresses(_)) { ".addresses" } else { "" };
                let path = match rules.get(rule).map(|rule| &rule.path) {
                    Some(RulePath::Exactly(path)) => format!("={path}"),
                    Some(RulePath::Below(path)) => path.clone(),
                    None => String::new(),
                };
                format!("app[{app}].rule[{rule}]{addresses} (path = {path:?})")
            }
            By::Access => format!("app[{app}].access (no rule matches)"),
            By::Preflight => format!("app[{app}].preflight"),
            By::Unreadable(_) => format!("app[{app}], which has rules about paths"),
        }
    }
}

/// What can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The rule with this index.
    Rule(usize),
    /// The rule with this index, because the request does not come from its `addresses`.
    Addresses(usize),
    /// The application's `access`: no rule matched.
    Access,
    /// The application's `preflight`.
    Preflight,
    /// Nobody can say what the path means, and the application has rules about paths.
    Unreadable(Unreadable),
}

/// How a rule fits a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// Not at all.
    Not,
    /// If the application takes the request for another than it is. The rule closes, and those after it are asked, too.
    Perhaps,
    /// It is the one that decides.
    Surely,
}

/// Who may send that request.
#[must_use]
pub fn decide<'a>(asked: &'a Asked<'_>) -> Decision<'a> {
    let application = &*asked.site.application;
    let mut decision = None;
    match &asked.path {
        Ok(readings) => readings.iter().for_each(|reading| judge(asked, reading, &mut decision)),
        Err(_) if application.rules.iter().all(|rule| is_everywhere(&rule.path)) => judge(asked, "/", &mut decision),
        Err(why) => {
            let by = Decided { by: By::Unreadable(*why), reading: asked.uri, members: None };
            add(&mut decision, Access::Nobody, by);
        }
    }
    let nothing = Decided { by: By::Access, reading: asked.uri, members: None };
    let decision = decision.unwrap_or(Decision { access: Access::Nobody, by: nothing, more: Vec::new() });
    if application.preflight && asked.preflight && decision.access != Access::Nobody {
        let by = Decided { by: By::Preflight, ..decision.by };
        return Decision { access: Access::Anyone, by, more: Vec::new() };
    }
    decision
}

/// Asks the rules in turn about one reading, until one surely decides.
fn judge<'a>(asked: &'a Asked<'_>, reading: &'a str, decision: &mut Option<Decision<'a>>) {
    let application = &*asked.site.application;
    for (index, rule) in application.rules.iter().enumerate() {
        let fit = fit(rule, asked, reading);
        if fit == Fit::Not {
            continue;
        }
        if !is_from(&rule.addresses, asked) {
            let by = Decided { by: By::Addresses(index), reading, members: None };
            add(decision, Access::Nobody, by);
        } else {
            let (access, members) = match &rule.access {
                RuleAccess::All(access) => (*access, None),
                RuleAccess::Members(members) => (Access::SignedIn, Some(members)),
            };
            add(decision, access, Decided { by: By::Rule(index), reading, members });
        }
        if fit == Fit::Surely {
            return;
        }
    }
    add(decision, application.access, Decided { by: By::Access, reading, members: None });
}

/// The strictest holds. A person has to pass all rules that ask for members.
fn add<'a>(decision: &mut Option<Decision<'a>>, access: Access, by: Decided<'a>) {
    match decision {
        Some(decision) if decision.access > access => {}
        Some(decision) if decision.access == access => decision.ask(by),
        laxer => *laxer = Some(Decision { access, by, more: Vec::new() }),
    }
}

impl<'a> Decision<'a> {
    fn all(&self) -> impl Iterator<Item = &Decided<'a>> {
        std::iter::once(&self.by).chain(&self.more)
    }

    /// Asks for these members, too.
    fn ask(&mut self, by: Decided<'a>) {
        if by.members.is_none() || self.all().any(|one| one.by == by.by) {
            return;
        }
        if self.by.members.is_none() {
            self.by = by;
        } else {
            self.more.push(by);
        }
    }

    /// Whether that person gets in, once signed in. Where all who are signed in do, nobody looks at them.
    ///
    /// # Errors
    /// What keeps them out.
    pub fn admits<'p>(&self, person: impl Fn() -> Person<'p>) -> Result<(), Decided<'a>> {
        if self.access == Access::Nobody {
            return Err(self.by);
        }
        let is_out = |one: &&Decided<'_>| one.members.is_some_and(|members| !is_one_of(&person(), members));
        self.all().find(is_out).map_or(Ok(()), |out| Err(*out))
    }
}

fn is_from(addresses: &[ipnet::IpNet], asked: &Asked<'_>) -> bool {
    addresses.is_empty()
        || asked.client().is_some_and(|client| addresses.iter().any(|net| net.contains(&client.to_canonical())))
}

fn is_one_of(person: &Person<'_>, members: &Members) -> bool {
    if members.roles.contains(&person.role) {
        return true;
    }
    let is_named = !person.username.is_empty() && members.users.iter().any(|user| user == person.username);
    // A username belongs to whoever comes first, from whichever provider.
    let counts = members.providers.is_empty() || members.providers.contains(person.provider);
    let is_in = |group: &String| person.groups.iter().any(|one| !one.is_empty() && is_same_composed(one, group));
    let has = |email: &EmailAddress| members.emails.contains(email) || members.domains.contains(&email.domain);
    counts && (is_named || members.groups.iter().any(is_in) || person.email.is_some_and(has))
}

fn is_everywhere(path: &RulePath) -> bool {
    matches!(path, RulePath::Below(below) if below == "/")
}

/// A rule that opens does so only for who comes from its addresses. To all others it closes.
fn fit(rule: &Rule, asked: &Asked<'_>, reading: &str) -> Fit {
    let opens = rule.access.opens() && is_from(&rule.addresses, asked);
    let methods = if opens { opened_method(rule, asked) } else { closed_method(rule, asked) };
    if methods == Fit::Not {
        return Fit::Not;
    }
    methods.min(if opens { opened_path(&rule.path, reading) } else { closed_path(&rule.path, reading) })
}

fn names(rule: &Rule, method: &str) -> bool {
    rule.methods.iter().any(|one| one == method)
}

fn opened_method(rule: &Rule, asked: &Asked<'_>) -> Fit {
    let is_named = !asked.overridden && names(rule, asked.method);
    if rule.methods.is_empty() || is_named { Fit::Surely } else { Fit::Not }
}

/// What closes a method cannot be passed by another one that the application takes for it.
fn closed_method(rule: &Rule, asked: &Asked<'_>) -> Fit {
    if rule.methods.is_empty() {
        Fit::Surely
    } else if asked.overridden {
        Fit::Perhaps
    } else if names(rule, asked.method) {
        Fit::Surely
    } else if asked.method == http::Method::HEAD && names(rule, http::Method::GET.as_str()) {
        Fit::Perhaps
    } else {
        Fit::Not
    }
}

fn opened_path(path: &RulePath, reading: &str) -> Fit {
    let is_there = match path {
        RulePath::Exactly(exactly) => reading == exactly,
        RulePath::Below(below) => reading.starts_with(below.as_str()),
    };
    if is_there { Fit::Surely } else { Fit::Not }
}

/// What closes a path closes it without the last slash, too, and in any case, since many applications serve the same there.
fn closed_path(path: &RulePath, reading: &str) -> Fit {
    let (RulePath::Exactly(start) | RulePath::Below(start)) = path;
    if opened_path(path, reading) == Fit::Surely || start.strip_suffix('/') == Some(reading) {
        Fit::Surely
    } else if is_below_in_any_case(reading, start) {
        Fit::Perhaps
    } else {
        Fit::Not
    }
}

/// Whether `path` is `start` or below it, with or without the last slash of `start`, in any case of letters and however
/// these are composed.
fn is_below_in_any_case(path: &str, start: &str) -> bool {
    let start = start.strip_suffix('/').unwrap_or(start);
    if path.is_ascii() && start.is_ascii() {
        let (path, start) = (path.as_bytes(), start.as_bytes());
        return path
            .split_at_checked(start.len())
            .is_some_and(|(begin, rest)| begin.eq_ignore_ascii_case(start) && matches!(rest, [] | [b'/', ..]));
    }
    let mut rest = caseless(path);
    caseless(start).all(|one| rest.next() == Some(one)) && matches!(rest.next(), None | Some('/'))
}

fn caseless(text: &str) -> impl Iterator<Item = char> {
    // Twice, since `ẞ` has a small letter and `ß` has two capitals.
    text.nfd().flat_map(char::to_lowercase).flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// Whether `later` can never decide anything, since `earlier` does: settings with such a rule say something that their
/// operator does not mean. Letters that differ in case alone are the same here, as they are for many applications.
#[must_use]
pub fn covers(earlier: &Rule, later: &Rule) -> bool {
    let methods = earlier.methods.is_empty()
        || !later.methods.is_empty() && later.methods.iter().all(|method| names(earlier, method));
    let (RulePath::Exactly(start) | RulePath::Below(start)) = &later.path;
    let path = match &earlier.path {
        RulePath::Exactly(exactly) => matches!(&later.path, RulePath::Exactly(later) if later == exactly),
        // `/x` is not below `/x/` to a rule that opens.
        RulePath::Below(below) => {
            let slashes = |path: &str| path.matches('/').count();
            is_below_in_any_case(start, below) && (!earlier.access.opens() || slashes(start) >= slashes(below))
        }
    };
    methods && path
}
