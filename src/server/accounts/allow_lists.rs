//! Who may sign in.

use super::roles::is_member;
use crate::server::{provider::Claims, settings::UserRules};

/// No list at all admits everyone; else one match is enough. A missing or ill-typed claim matches nothing.
pub(super) fn is_allowed(rules: &UserRules, claims: &Claims) -> bool {
    if rules.allowed_groups.is_empty() && rules.allowed_emails.is_empty() && rules.allowed_domains.is_empty() {
        return true;
    }
    if is_member(claims, &rules.allowed_groups) {
        return true;
    }
    let Some(email) = claims.email.as_deref().filter(|_| claims.email_verified == Some(true)) else { return false };
    // More than one "@", or anything odd, is nobody's address.
    let Some((local, domain)) = email.split_once('@') else { return false };
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '@' | ',' | ';' | '<' | '>' | '"' | '\\');
    if local.is_empty() || domain.is_empty() || !domain.is_ascii() || local.contains(odd) || domain.contains(odd) {
        return false;
    }
    rules.allowed_emails.iter().any(|allowed| allowed.eq_ignore_ascii_case(email))
        || rules.allowed_domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_email(email: &str, verified: Option<bool>) -> Claims {
        Claims { email: Some(email.into()), email_verified: verified, ..Claims::default() }
    }

    #[test]
    fn allow_lists_fail_closed() {
        assert!(is_allowed(&UserRules::default(), &Claims::default()), "no list admits everyone");
        let by_group = UserRules { allowed_groups: vec!["staff".into()], ..UserRules::default() };
        assert!(!is_allowed(&by_group, &Claims::default()), "claim missing");
        assert!(!is_allowed(
            &by_group,
            &Claims { groups: Some(vec!["Staff".into(), String::new()]), ..Claims::default() }
        ));
        assert!(is_allowed(&by_group, &Claims { groups: Some(vec!["staff".into()]), ..Claims::default() }));

        let by_domain = UserRules { allowed_domains: vec!["example.com".into()], ..UserRules::default() };
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
        ] {
            assert!(!is_allowed(&by_domain, &with_email(email, verified)), "{email} {verified:?}");
        }
        let by_email = UserRules { allowed_emails: vec!["Alice@example.com".into()], ..UserRules::default() };
        assert!(is_allowed(&by_email, &with_email("alice@example.com", Some(true))));
        assert!(!is_allowed(&by_email, &with_email("bob@example.com", Some(true))));
    }
}
