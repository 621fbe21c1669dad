//! Both stores: one contract, and the attempt as a state machine over both.

mod attempt;
mod contract;
