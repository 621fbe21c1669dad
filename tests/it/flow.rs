//! The flow on the real router over real TCP, against the test provider.

mod accounts;
mod admin;
mod admission;
mod answers;
mod callback;
mod guest;
mod handed_on;
mod headers;
mod limits;
mod loops;
mod outage;
mod pages;
mod people;
mod return_to;
mod secrets;
mod sessions;
mod sign_out;
mod start;
mod tabs;
mod trace;
