//! People: who may sign in, as whom, and as what.

/// Who may sign in.
mod allow_lists;
/// A verified person's account, found or made.
mod provisioning;
/// What groups decide.
mod roles;
/// Names for new accounts.
mod usernames;

pub use self::provisioning::{Provisioned, provision};
pub(crate) use self::roles::role_by_group;
