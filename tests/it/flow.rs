//! The flow on the real router over real TCP, against the test provider.

mod accounts;
mod admin;
mod callback;
mod limits;
mod loops;
mod outage;
mod pages;
mod sign_out;
mod tabs;
mod trace;
