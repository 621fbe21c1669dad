//! Misbehaviour on request: what can be asked for, and the rules in force.

mod active;
mod behaviour;
mod edit;
mod fault;

pub(crate) use active::Rules;
pub use behaviour::{Behaviour, CallbackEdit, EndSessionFault, JwksFault, JwtEdit, Rule, SignatureFault};
pub(crate) use edit::render;
pub use edit::{Edit, Members};
pub use fault::{Fault, HeadEdit};
