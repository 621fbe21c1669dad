//! What the tests share.

pub mod bench;
pub mod mongo;
pub mod people;
pub mod process;
pub mod scene;
pub mod wire;
