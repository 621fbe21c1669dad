//! `[session]`: how long sessions live.

use std::time::Duration;

use super::{
    reader::Reader,
    schema::{self, At, written},
};

/// `[session]`.
#[derive(Debug, Clone, Copy)]
pub struct SessionRules {
    /// Idle timeout.
    pub idle: Duration,
    /// Maximum lifetime, however much the session is used.
    pub absolute: Duration,
    /// How old what the provider said may become before it is asked again.
    pub recheck: Option<Duration>,
}

impl SessionRules {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let idle = reader.duration(&schema::SESSION_IDLE);
        let absolute = reader.duration(&schema::SESSION_ABSOLUTE);
        if let (Some(idle), Some(absolute)) = (idle, absolute)
            && idle > absolute
        {
            let what = format!("is {}, longer than session.absolute, {}", written(idle), written(absolute));
            reader.fault(&At::from(&schema::SESSION_IDLE), what, "lower it, or raise session.absolute");
        }
        let recheck = reader.duration(&schema::SESSION_RECHECK);
        if let (Some(recheck), Some(absolute)) = (recheck, absolute)
            && recheck >= absolute
        {
            let what = format!(
                "is {}, and no session lives longer than session.absolute, {}",
                written(recheck),
                written(absolute)
            );
            reader.fault(&At::from(&schema::SESSION_RECHECK), what, "lower it, or leave it out");
        }
        Self { recheck, idle: idle.unwrap_or_default(), absolute: absolute.unwrap_or_default() }
    }
}

impl Default for SessionRules {
    fn default() -> Self {
        Reader::defaults(Self::read)
    }
}
