//! The time in SQL.

/// SQL: the host's time in milliseconds, rounded as everywhere else to what a store keeps.
macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    };
}

pub(super) use now;
