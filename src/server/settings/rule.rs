//! `[[app.rule]]`: who gets in where.

use super::{
    network,
    provider::ProviderSettings,
    reader::Reader,
    schema::{self, At, Index, Key, Table, prefix},
    users,
};
use crate::server::{
    application::{Access, Application, Members, Rule, RuleAccess, RulePath},
    gate::{asked::is_method, rules::covers},
    ids::ProviderId,
    store::Role,
};

/// The keys that say who gets in.
const MEMBERS: [&Key; 5] =
    [&schema::RULE_GROUPS, &schema::RULE_ROLES, &schema::RULE_EMAILS, &schema::RULE_DOMAINS, &schema::RULE_USERS];
/// Those of them that go by what a provider says. (A username belongs to whoever comes first, from whichever provider.)
const SAID: [&Key; 4] = [&schema::RULE_GROUPS, &schema::RULE_EMAILS, &schema::RULE_DOMAINS, &schema::RULE_USERS];

/// The rules of the application with the numbers `app`. `providers` is nothing if one of them is wrong itself.
pub(super) fn read_all(reader: &mut Reader<'_>, app: Index, providers: Option<&[ProviderSettings]>) -> Vec<Rule> {
    let mut rules: Vec<(Index, Rule)> = Vec::new();
    for index in reader.tables(Table::Rule, app) {
        let Some(rule) = read(reader, index, providers) else { continue };
        if let Some(earlier) = covered_by(&rule, &rules) {
            let what =
                format!("would never decide, since {} comes first and holds for the same requests", table(earlier));
            reader.fault(&table(index), what, "move it above that one, or remove it");
        }
        rules.push((index, rule));
    }
    rules.into_iter().map(|(_, rule)| rule).collect()
}

fn table(index: Index) -> String {
    prefix(Table::Rule, index).trim_end_matches('.').to_owned()
}

fn read(reader: &mut Reader<'_>, index: Index, providers: Option<&[ProviderSettings]>) -> Option<Rule> {
    let at = |key: &'static Key| At { key, index };
    let path = path(reader, at(&schema::RULE_PATH));
    let methods = some(reader, at(&schema::RULE_METHODS), |reader, at| {
        reader.each(at, method, "write methods in capitals, as [\"GET\", \"HEAD\"]")
    });
    let access = read_access(reader, index, providers);
    let addresses =
        some(reader, at(&schema::RULE_ADDRESSES), |reader, at| reader.each(at, network::parse, network::FORM));
    let access = access?;
    if matches!(access, RuleAccess::All(Access::Nobody)) && reader.is_given(at(&schema::RULE_ADDRESSES)) {
        let what = "is given, but access = \"nobody\" lets nobody in from anywhere";
        reader.fault(&at(&schema::RULE_ADDRESSES), what, "remove one of the two");
    }
    let path = path?;
    if matches!(path, RulePath::Exactly(_)) && !access.opens() {
        let what = "is one exact path, which is only for a rule with access = \"anyone\"";
        let fix = "write it as \"/x/\", which holds for /x and everything below";
        reader.fault(&at(&schema::RULE_PATH), what, fix);
    }
    // To all others a rule with addresses closes, and what closes does so for everything below.
    if matches!(&path, RulePath::Exactly(root) if root == "/") && !addresses.is_empty() {
        let what = "is given for path = \"=/\", which would close the whole application to everybody else";
        let fix = "remove addresses, or write the rule about a path that is not the first page's";
        reader.fault(&at(&schema::RULE_ADDRESSES), what, fix);
    }
    Some(Rule { path, methods, access, addresses })
}

/// A list that is not empty if it is given: whether an empty one meant all or none, nobody could tell.
fn some<T>(reader: &mut Reader<'_>, at: At, read: impl FnOnce(&mut Reader<'_>, At) -> Vec<T>) -> Vec<T> {
    if !reader.is_given(at) {
        return Vec::new();
    }
    let before = reader.count();
    let all = read(reader, at);
    if all.is_empty() && reader.count() == before {
        reader.fault(&at, "is empty", "write what it is for, or remove it");
    }
    all
}

fn read_access(reader: &mut Reader<'_>, index: Index, providers: Option<&[ProviderSettings]>) -> Option<RuleAccess> {
    let at = |key: &'static Key| At { key, index };
    let members = Members {
        groups: some(reader, at(&schema::RULE_GROUPS), |reader, at| reader.texts(at)),
        roles: some(reader, at(&schema::RULE_ROLES), |reader, at| reader.choices(at))
            .iter()
            .map(|one| role(one))
            .collect(),
        emails: some(reader, at(&schema::RULE_EMAILS), |reader, at| {
            reader.each(at, users::email, "write it as ada@example.com")
        }),
        domains: some(reader, at(&schema::RULE_DOMAINS), |reader, at| {
            reader.each(at, users::domain, "write it as example.com")
        }),
        users: some(reader, at(&schema::RULE_USERS), |reader, at| reader.texts(at)),
        providers: read_providers(reader, index, providers),
    };
    let given: Vec<_> = MEMBERS.into_iter().filter(|key| reader.is_given(at(key))).map(|key| key.name).collect();
    if !reader.is_given(at(&schema::RULE_ACCESS)) {
        if !MEMBERS.into_iter().chain([&schema::RULE_ACCESS]).any(|key| reader.is_meant(at(key))) {
            let fix = "add access, or one of groups, roles, emails, domains and users";
            reader.fault(&table(index), "does not say who gets in", fix);
        }
        return (!given.is_empty()).then_some(RuleAccess::Members(members));
    }
    let access = reader.choice(at(&schema::RULE_ACCESS))?;
    if !given.is_empty() {
        let what = format!("is {access:?}, and {} says something else about who gets in", given.join(", "));
        reader.fault(&at(&schema::RULE_ACCESS), what, "keep access alone, or remove it");
    }
    Some(RuleAccess::All(self::access(&access)))
}

/// Whose word counts.
fn read_providers(reader: &mut Reader<'_>, index: Index, providers: Option<&[ProviderSettings]>) -> Vec<ProviderId> {
    let at = |key: &'static Key| At { key, index };
    let key = at(&schema::RULE_PROVIDERS);
    let said: Vec<_> = SAID.into_iter().filter(|key| reader.is_given(at(key))).map(|key| key.name).collect();
    let ids: Vec<_> = providers.unwrap_or_default().iter().map(|one| one.id.as_str()).collect();
    if !reader.is_given(key) {
        if ids.len() > 1 && !said.is_empty() {
            let what =
                format!("is missing, and each of the providers {} could say these {}", ids.join(", "), said.join(", "));
            reader.fault(
                &key,
                what,
                format!("name those whose word counts, as providers = [{:?}]", ids.first().unwrap_or(&"")),
            );
        }
        return Vec::new();
    }
    let named = some(reader, key, |reader, at| {
        let known = |text: &str| {
            let is_known = providers.is_none() || ids.contains(&text);
            is_known.then(|| ProviderId::new(text)).ok_or_else(|| format!("is {text:?}, which is no provider's id"))
        };
        reader.each(at, known, &format!("write one of: {}", ids.join(", ")))
    });
    if said.is_empty() {
        let what = "is given, but it counts for groups, emails, domains and users, and none of them is given";
        reader.fault(&key, what, "remove it, or add one of them");
    }
    named
}

/// As `access` says.
pub(super) fn access(word: &str) -> Access {
    match word {
        "anyone" => Access::Anyone,
        "nobody" => Access::Nobody,
        _ => Access::SignedIn,
    }
}

fn role(word: &str) -> Role {
    if word == "admin" { Role::Admin } else { Role::User }
}

fn method(text: &str) -> Result<String, String> {
    is_method(text).then(|| text.to_owned()).ok_or_else(|| format!("is {text:?}, which is no method in capitals"))
}

fn path(reader: &mut Reader<'_>, at: At) -> Option<RulePath> {
    let text = reader.text(at)?;
    let (exact, path) = text.strip_prefix('=').map_or((false, text.as_str()), |path| (true, path));
    let (what, fix) = if !path.starts_with('/') || !exact && !path.ends_with('/') {
        ("is neither /x/ nor =/x", "write \"/x/\" for this path and everything below, or \"=/x\" for exactly this path")
    } else if path.contains(['%', '\\', ';', '?', '#', '*']) {
        ("has one of % \\ ; ? # * in it", "write the path as it is once it is decoded, without a pattern or a query")
    } else if path.contains("//") || path.split('/').any(|segment| matches!(segment, "." | "..")) {
        ("has // or dots for a segment in it", "write the path that is meant in the end")
    } else if exact {
        return Some(RulePath::Exactly(path.to_owned()));
    } else {
        return Some(RulePath::Below(path.to_owned()));
    };
    reader.fault(&at, format!("{what}: {text:?}"), fix);
    None
}

/// The first of the `earlier` rules that are in the way, if all that `rule` could decide is decided by them.
fn covered_by(rule: &Rule, earlier: &[(Index, Rule)]) -> Option<Index> {
    // By different rules for different methods, maybe.
    let one_method = |method: &String| Rule { methods: vec![method.clone()], ..rule.clone() };
    let parts: Vec<_> =
        if rule.methods.is_empty() { vec![rule.clone()] } else { rule.methods.iter().map(one_method).collect() };
    let by = |part: &Rule| earlier.iter().find(|(_, other)| covers(other, part)).map(|(index, _)| *index);
    parts.iter().map(by).collect::<Option<Vec<_>>>()?.into_iter().min()
}

/// The rules that go by groups which no provider is asked for. It may send them all the same.
pub(super) fn without_groups(applications: &[Application], providers: &[ProviderSettings]) -> Vec<String> {
    let mut keys = Vec::new();
    for (app, application) in applications.iter().enumerate() {
        for (number, rule) in application.rules.iter().enumerate() {
            let RuleAccess::Members(members) = &rule.access else { continue };
            let counts = |one: &&ProviderSettings| members.providers.is_empty() || members.providers.contains(&one.id);
            let asked = |one: &ProviderSettings| one.scopes.iter().any(|scope| scope == "groups");
            if !members.groups.is_empty() && !providers.iter().filter(counts).any(asked) {
                keys.push(At { key: &schema::RULE_GROUPS, index: [app, number] }.to_string());
            }
        }
    }
    keys
}
