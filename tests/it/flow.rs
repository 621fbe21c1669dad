//! The flow on the real router over real TCP, against the test provider.

mod accounts;
mod admin;
mod admission;
mod answers;
mod asked;
mod callback;
mod elsewhere;
mod form_post;
mod guest;
mod handed_on;
mod headers;
mod initiated;
mod limits;
mod loops;
mod mix_up;
mod outage;
mod pages;
mod people;
mod return_to;
mod secrets;
mod sessions;
mod sign_out;
mod sign_out_there;
mod start;
mod tabs;
mod trace;
