//! What groups decide.

use crate::server::{email_address::is_same_composed, provider::Claims, settings::UserRules, store::Role};

/// The role that groups decide, at each sign-in; `None` where the operator names no group for it.
pub(crate) fn role_by_group(rules: &UserRules, claims: &Claims) -> Option<Role> {
    (!rules.admin_groups.is_empty())
        .then(|| if is_member(claims, &rules.admin_groups) { Role::Admin } else { Role::User })
}

pub(super) fn is_member(claims: &Claims, groups: &[String]) -> bool {
    claims
        .groups
        .as_ref()
        .is_some_and(|member_of| groups.iter().any(|group| member_of.iter().any(|one| is_same_composed(one, group))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_follow_groups_only_where_the_operator_says_so() {
        let groups = |names: &[&str]| Claims {
            groups: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            ..Claims::default()
        };
        assert_eq!(role_by_group(&UserRules::default(), &groups(&["admins"])), None);
        let rules = UserRules { admin_groups: vec!["admins".into()], ..UserRules::default() };
        assert_eq!(role_by_group(&rules, &groups(&["admins"])), Some(Role::Admin));
        assert_eq!(role_by_group(&rules, &groups(&["users"])), Some(Role::User));
        assert_eq!(role_by_group(&rules, &Claims::default()), Some(Role::User), "a vanished claim takes the role away");
    }

    #[test]
    fn a_group_is_the_same_however_its_letters_are_composed() {
        let is = |one: &str, other: &str| {
            is_member(&Claims { groups: Some(vec![one.to_owned()]), ..Claims::default() }, &[other.to_owned()])
        };
        for (one, other) in [("Entwu\u{308}rfe", "Entwürfe"), ("가", "\u{1100}\u{1161}"), ("\u{212a}", "\u{212a}")] {
            assert!(is(one, other) && is(other, one), "{one}");
        }
        for (one, other) in [
            ("Staff", "staff"),
            ("staff", "staff "),
            ("st\u{430}ff", "staff"),
            ("\u{212a}itchen", "Kitchen"),
            ("ﬁnance", "finance"),
            ("straße", "strasse"),
            ("staff\u{200b}", "staff"),
            ("Entwurfe", "Entwürfe"),
        ] {
            assert!(!is(one, other) && !is(other, one), "{one}");
        }
    }
}
