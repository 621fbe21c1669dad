//! `[users]`: who may sign in, and as what.

use super::{reader::Reader, schema};
use crate::server::{
    email_address::{Domain, EmailAddress},
    store::Role,
};

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
    /// Verified addresses.
    pub allowed_emails: Vec<EmailAddress>,
    /// The part after the one `@` of a verified address.
    pub allowed_domains: Vec<Domain>,
    /// Whether an application is told about people as ClaudeLens is: then it has to be able to read their documents.
    pub for_claudelens: bool,
    /// Whether applications are told an address that is not verified.
    pub unverified_email: bool,
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
            allowed_emails: reader.each(&schema::USERS_ALLOWED_EMAILS, email, EMAIL),
            allowed_domains: reader.each(&schema::USERS_ALLOWED_DOMAINS, domain, "write it as example.com"),
            for_claudelens: false,
            unverified_email: reader.boolean(&schema::USERS_UNVERIFIED_EMAIL).unwrap_or_default(),
        }
    }
}

impl Default for UserRules {
    fn default() -> Self {
        Reader::defaults(Self::read)
    }
}

/// How an address is written.
const EMAIL: &str =
    "write it as ada@example.com (for everybody in a domain, users.allowed_domains = [\"example.com\"])";

pub(super) fn email(text: &str) -> Result<EmailAddress, String> {
    EmailAddress::parse(text).ok_or_else(|| format!("is {text:?}, which is not one address"))
}

pub(super) fn domain(text: &str) -> Result<Domain, String> {
    Domain::parse(text).ok_or_else(|| format!("is {text:?}, which is not a domain"))
}
