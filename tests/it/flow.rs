//! The flow on the real router over real TCP, against the test provider.

mod accounts;
mod admin;
mod admission;
mod asked;
mod backchannel;
mod callback;
mod elsewhere;
mod form_post;
mod guest;
mod handed_on;
mod initiated;
mod limits;
mod loops;
mod mix_up;
mod outage;
mod pages;
mod return_to;
mod sign_out;
mod sign_out_there;
mod tabs;
mod trace;
