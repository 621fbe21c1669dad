//! `[users]`: who may sign in, and as what.

use super::{reader::Reader, schema};
use crate::server::store::Role;

/// `[users]`.
#[derive(Debug, Clone)]
pub struct UserRules {
    /// Whether a person who is new may sign in.
    pub auto_create: bool,
    /// The role of a new user.
    pub default_role: Role,
    /// Members of any of these become admin, others user, at each sign-in; empty: roles are left alone.
    pub admin_groups: Vec<String>,
    /// Empty lists allow everyone; otherwise any one match admits.
    pub allowed_groups: Vec<String>,
    /// Verified addresses, compared without regard to case.
    pub allowed_emails: Vec<String>,
    /// The part after the one `@` of a verified address.
    pub allowed_domains: Vec<String>,
}

impl UserRules {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            auto_create: reader.boolean(&schema::USERS_AUTO_CREATE).unwrap_or_default(),
            default_role: match reader.choice(&schema::USERS_DEFAULT_ROLE).as_deref() {
                Some("admin") => Role::Admin,
                Some(_) | None => Role::User,
            },
            admin_groups: reader.texts(&schema::USERS_ADMIN_GROUPS),
            allowed_groups: reader.texts(&schema::USERS_ALLOWED_GROUPS),
            allowed_emails: reader.each(&schema::USERS_ALLOWED_EMAILS, email, "write it as ada@example.com"),
            allowed_domains: reader.each(&schema::USERS_ALLOWED_DOMAINS, domain, "write it as example.com"),
        }
    }
}

impl Default for UserRules {
    fn default() -> Self {
        Reader::defaults(Self::read)
    }
}

fn email(text: &str) -> Result<String, String> {
    match text.rsplit_once('@') {
        Some((local, host)) if !local.is_empty() && !local.contains([' ', '<', ';', ',']) && domain(host).is_ok() => {
            Ok(text.to_owned())
        }
        _ => Err(format!("is {text:?}, which is not an address")),
    }
}

fn domain(text: &str) -> Result<String, String> {
    let fits =
        text.split('.').all(|label| !label.is_empty()) && !text.contains(['@', '*', '/', ' ', ':', ';', ',', '=']);
    if fits { Ok(text.to_owned()) } else { Err(format!("is {text:?}, which is not a domain")) }
}
