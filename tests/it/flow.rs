//! The flow on the real router over real TCP, against the test provider.

mod accounts;
mod admin;
mod admission;
mod backchannel;
mod callback;
mod guest;
mod handed_on;
mod limits;
mod loops;
mod outage;
mod pages;
mod return_to;
mod sign_out;
mod tabs;
mod trace;
