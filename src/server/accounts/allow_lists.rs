//! Who may sign in.

use super::roles::is_member;
use crate::server::{email_address::EmailAddress, provider::Claims, settings::UserRules};

/// No list at all admits everyone; else one match is enough. A claim that is missing or cannot be read matches nothing.
///
/// # Errors
/// Which lists were asked, and what was there, without personal data.
pub(super) fn check(rules: &UserRules, claims: &Claims) -> Result<(), String> {
    if rules.allowed_groups.is_empty() && rules.allowed_emails.is_empty() && rules.allowed_domains.is_empty() {
        return Ok(());
    }
    if is_member(claims, &rules.allowed_groups) {
        return Ok(());
    }
    let address = address(claims);
    if let Ok(email) = &address
        && (rules.allowed_emails.contains(email) || rules.allowed_domains.contains(&email.domain))
    {
        return Ok(());
    }
    let there = |not_in_it: &str| address.as_ref().map_or_else(ToString::to_string, |_| not_in_it.to_owned());
    let asked = [
        ("allowed_groups", rules.allowed_groups.is_empty(), groups(claims)),
        ("allowed_emails", rules.allowed_emails.is_empty(), there("`email` is not listed")),
        ("allowed_domains", rules.allowed_domains.is_empty(), there("its domain is not listed")),
    ];
    let asked = asked.into_iter().filter(|(_, empty, _)| !empty);
    Err(asked.map(|(key, _, there)| format!("users.{key}: {there}")).collect::<Vec<_>>().join("; "))
}

/// What there is of groups, none of which is listed.
fn groups(claims: &Claims) -> String {
    match &claims.groups {
        Some(groups) if groups.is_empty() => "`groups` is empty".into(),
        Some(groups) => format!("`groups` has {}, and none of them is listed", groups.len()),
        None if claims.unreadable.contains("groups") => "`groups` is of another type".into(),
        None => "`groups` is missing".into(),
    }
}

/// The verified address, or what is in the way.
fn address(claims: &Claims) -> Result<EmailAddress, &'static str> {
    let Some(email) = claims.email.as_deref() else {
        let other_type = claims.unreadable.contains("email");
        return Err(if other_type { "`email` is of another type" } else { "`email` is missing" });
    };
    match claims.email_verified {
        Some(true) => EmailAddress::parse(email).ok_or("`email` is not an address"),
        Some(false) => Err("`email` is not verified"),
        None if claims.unreadable.contains("email_verified") => Err("`email_verified` is of another type"),
        None => Err("`email_verified` is missing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::email_address::Domain;

    fn with_email(email: &str, verified: Option<bool>) -> Claims {
        Claims { email: Some(email.into()), email_verified: verified, ..Claims::default() }
    }

    #[test]
    fn allow_lists_fail_closed() {
        let is_allowed = |rules: &UserRules, claims: &Claims| check(rules, claims).is_ok();
        assert!(is_allowed(&UserRules::default(), &Claims::default()), "no list admits everyone");
        let by_group = UserRules { allowed_groups: vec!["staff".into()], ..UserRules::default() };
        assert!(!is_allowed(&by_group, &Claims::default()), "claim missing");
        assert!(!is_allowed(
            &by_group,
            &Claims { groups: Some(vec!["Staff".into(), String::new()]), ..Claims::default() }
        ));
        assert!(is_allowed(&by_group, &Claims { groups: Some(vec!["staff".into()]), ..Claims::default() }));

        let by_domain =
            UserRules { allowed_domains: vec![Domain::parse("example.com").unwrap()], ..UserRules::default() };
        assert!(is_allowed(&by_domain, &with_email("a@EXAMPLE.com", Some(true))));
        for (email, verified) in [
            ("a@example.com", None),
            ("a@example.com", Some(false)),
            ("a@evil@example.com", Some(true)),
            ("x@evil.example,y@example.com", Some(true)),
            ("@example.com", Some(true)),
            ("a@", Some(true)),
            ("a@sub.example.com", Some(true)),
            ("a@example.com ", Some(true)),
            ("a@example.com\0", Some(true)),
            ("a@exämple.com", Some(true)),
            ("example.com", Some(true)),
            ("a@example.com.evil.example", Some(true)),
            ("a@example.com.", Some(true)),
            ("a@example。com", Some(true)),
            ("a@exam\u{200b}ple.com", Some(true)),
            ("a@ｅxample.com", Some(true)),
            ("a@exаmple.com", Some(true)),
            ("a＠evil.example@example.com", Some(true)),
            ("a\u{200b}@example.com", Some(true)),
        ] {
            assert!(!is_allowed(&by_domain, &with_email(email, verified)), "{email} {verified:?}");
        }
        let by_email = UserRules {
            allowed_emails: vec![EmailAddress::parse("Alice@example.com").unwrap()],
            ..UserRules::default()
        };
        assert!(is_allowed(&by_email, &with_email("alice@example.com", Some(true))));
        assert!(!is_allowed(&by_email, &with_email("bob@example.com", Some(true))));
    }

    #[test]
    fn a_refusal_says_what_was_asked_and_what_was_there() {
        let groups = UserRules { allowed_groups: vec!["staff".into()], ..UserRules::default() };
        let both = UserRules { allowed_domains: vec![Domain::parse("example.com").unwrap()], ..groups.clone() };
        let unreadable = |name| Claims { unreadable: [name].into(), ..Claims::default() };
        let member_of = |names: &[&str]| Claims {
            groups: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            ..Claims::default()
        };
        for (rules, claims, why) in [
            (&groups, Claims::default(), "users.allowed_groups: `groups` is missing"),
            (&groups, unreadable("groups"), "users.allowed_groups: `groups` is of another type"),
            (&groups, member_of(&[]), "users.allowed_groups: `groups` is empty"),
            (&groups, member_of(&["secret", "b"]), "users.allowed_groups: `groups` has 2, and none of them is listed"),
            (
                &both,
                with_email("a@example.com", Some(false)),
                "users.allowed_groups: `groups` is missing; users.allowed_domains: `email` is not verified",
            ),
            (
                &both,
                with_email("a@example.com", None),
                "users.allowed_groups: `groups` is missing; users.allowed_domains: `email_verified` is missing",
            ),
            (
                &both,
                with_email("a@example.org", Some(true)),
                "users.allowed_groups: `groups` is missing; users.allowed_domains: its domain is not listed",
            ),
            (
                &both,
                with_email("example.com", Some(true)),
                "users.allowed_groups: `groups` is missing; users.allowed_domains: `email` is not an address",
            ),
        ] {
            assert_eq!(check(rules, &claims).unwrap_err(), why);
        }
    }
}
