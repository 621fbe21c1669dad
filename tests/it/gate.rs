//! The gate on the real routers over real TCP: what proxies are answered, and one sign-in for the applications of many
//! hosts.

mod alone;
mod answers;
mod handover;
mod pages;
mod recheck;
mod revocation;
pub mod rig;
mod scripts;
mod table;
mod tickets;
mod trust;
