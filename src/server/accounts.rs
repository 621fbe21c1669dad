//! People: who may sign in, as whom, and as what.

use super::{
    clock::System,
    provider::{Claims, VerifiedClaims},
    settings::UserRules,
    store::{Created, NewUser, Person, Profile, Role, Store, StoreError, User},
};

/// How a verified person fared here.
#[derive(Debug)]
pub enum Admitted {
    /// The account, found or made.
    User(User),
    /// None of the operator's allow lists names them.
    NotAllowed,
    /// They are new, and new people are not taken.
    Unknown,
    /// Their account is switched off.
    Disabled,
}

/// Another name is tried this often where the wanted one is taken; the last tries carry random digits.
const NAMES_TRIED: u32 = 12;
/// The longest username we make, in characters.
const LONGEST_NAME: usize = 64;

/// Finds or makes the account of a verified person. Running it again, at the same time or later, finds the same one.
///
/// # Errors
/// The store; nothing half done is left behind.
pub async fn admit(
    store: &dyn Store,
    rules: &UserRules,
    verified: &VerifiedClaims,
    discovery_url: &str,
    system: &System,
) -> Result<Admitted, StoreError> {
    let claims = verified.claims();
    if !is_allowed(rules, claims) {
        return Ok(Admitted::NotAllowed);
    }
    let role = role_by_group(rules, claims);
    let person = Person {
        issuer: verified.issuer().clone(),
        subject: verified.subject().clone(),
        discovery_url: discovery_url.to_owned(),
        profile: Profile {
            email: claims.email.clone(),
            // With a new address the old one's verification must not stay.
            email_verified: claims.email.as_ref().map(|_| claims.email_verified.unwrap_or(false)),
            full_name: claims.name.clone(),
        },
        role,
        now: system.now(),
    };
    let wanted = username(claims, person.subject.as_str());
    for attempt in 0..NAMES_TRIED {
        if let Some(user) = store.sign_in_user(&person).await? {
            return Ok(if user.active { Admitted::User(user) } else { Admitted::Disabled });
        }
        if !rules.auto_create {
            return Ok(Admitted::Unknown);
        }
        let user = NewUser {
            person: person.clone(),
            username: variant(&wanted, attempt, system),
            role: role.unwrap_or(rules.default_role),
        };
        match store.create_user(&user).await? {
            Created::New(user) => return Ok(Admitted::User(user)),
            // Made at the same moment by another sign-in: found on the next turn.
            Created::Exists | Created::UsernameTaken => {}
        }
    }
    Err(StoreError::Unreadable("no username is free, not even with random digits".into()))
}

/// No list at all admits everyone; else one match is enough. A missing or ill-typed claim matches nothing.
fn is_allowed(rules: &UserRules, claims: &Claims) -> bool {
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

/// The role that groups decide, at each sign-in; `None` where the operator names no group for it.
fn role_by_group(rules: &UserRules, claims: &Claims) -> Option<Role> {
    (!rules.admin_groups.is_empty())
        .then(|| if is_member(claims, &rules.admin_groups) { Role::Admin } else { Role::User })
}

fn is_member(claims: &Claims, groups: &[String]) -> bool {
    claims.groups.as_ref().is_some_and(|member_of| groups.iter().any(|group| member_of.contains(group)))
}

/// The name a new account would like: what the provider offers, in the order that ClaudeLens had.
fn username(claims: &Claims, subject: &str) -> String {
    let whole_name = claims.name.as_deref().map(|name| name.split_whitespace().collect::<String>());
    let local_part = claims.email.as_deref().and_then(|email| email.split('@').next());
    [
        claims.preferred_username.as_deref(),
        claims.username.as_deref(),
        claims.nickname.as_deref(),
        whole_name.as_deref(),
        local_part,
    ]
    .into_iter()
    .flatten()
    .map(usable)
    .find(|name| !name.is_empty() && !is_reserved(name))
    .unwrap_or_else(|| format!("user_{}", usable(&subject.chars().take(8).collect::<String>())))
}

/// Without what would not be seen or would deceive: control characters, spaces, marks that turn text around.
fn usable(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@'))
        .take(LONGEST_NAME)
        .collect()
}

/// Names that would claim a power nobody gave.
fn is_reserved(name: &str) -> bool {
    ["admin", "administrator", "root", "system"].iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// The wanted name, then with a number, then with random digits.
fn variant(wanted: &str, attempt: u32, system: &System) -> String {
    let base: String = wanted.chars().take(LONGEST_NAME - 9).collect();
    match attempt {
        0 => wanted.to_owned(),
        1..=5 => format!("{base}_{}", attempt + 1),
        _ => format!("{base}_{}", hex::encode(system.bytes::<4>())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> UserRules {
        UserRules {
            auto_create: true,
            default_role: Role::User,
            admin_groups: vec![],
            allowed_groups: vec![],
            allowed_emails: vec![],
            allowed_domains: vec![],
        }
    }

    fn with_email(email: &str, verified: Option<bool>) -> Claims {
        Claims { email: Some(email.into()), email_verified: verified, ..Claims::default() }
    }

    #[test]
    fn allow_lists_fail_closed() {
        assert!(is_allowed(&rules(), &Claims::default()), "no list admits everyone");
        let by_group = UserRules { allowed_groups: vec!["staff".into()], ..rules() };
        assert!(!is_allowed(&by_group, &Claims::default()), "claim missing");
        assert!(!is_allowed(
            &by_group,
            &Claims { groups: Some(vec!["Staff".into(), String::new()]), ..Claims::default() }
        ));
        assert!(is_allowed(&by_group, &Claims { groups: Some(vec!["staff".into()]), ..Claims::default() }));

        let by_domain = UserRules { allowed_domains: vec!["example.com".into()], ..rules() };
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
        let by_email = UserRules { allowed_emails: vec!["Alice@example.com".into()], ..rules() };
        assert!(is_allowed(&by_email, &with_email("alice@example.com", Some(true))));
        assert!(!is_allowed(&by_email, &with_email("bob@example.com", Some(true))));
    }

    #[test]
    fn roles_follow_groups_only_where_the_operator_says_so() {
        let groups = |names: &[&str]| Claims {
            groups: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            ..Claims::default()
        };
        assert_eq!(role_by_group(&rules(), &groups(&["admins"])), None);
        let rules = UserRules { admin_groups: vec!["admins".into()], ..rules() };
        assert_eq!(role_by_group(&rules, &groups(&["admins"])), Some(Role::Admin));
        assert_eq!(role_by_group(&rules, &groups(&["users"])), Some(Role::User));
        assert_eq!(role_by_group(&rules, &Claims::default()), Some(Role::User), "a vanished claim takes the role away");
    }

    #[test]
    fn usernames_come_in_the_known_order_and_claim_no_power() {
        let mut claims = Claims {
            name: Some("Alice B. Example".into()),
            preferred_username: Some("alice".into()),
            nickname: Some("ali".into()),
            email: Some("a.b@example.com".into()),
            ..Claims::default()
        };
        assert_eq!(username(&claims, "0123456789"), "alice");
        claims.preferred_username = Some("Admin".into());
        assert_eq!(username(&claims, "0123456789"), "ali");
        claims.nickname = Some("\u{202e}\n ".into());
        assert_eq!(username(&claims, "0123456789"), "AliceB.Example");
        claims.name = None;
        assert_eq!(username(&claims, "0123456789"), "a.b");
        assert_eq!(username(&Claims::default(), "0123456789"), "user_01234567");
        assert_eq!(variant("alice", 0, &System::real()), "alice");
        assert_eq!(variant("alice", 1, &System::real()), "alice_2");
        assert!(variant(&"x".repeat(64), 9, &System::real()).chars().count() <= 64);
    }
}
