//! What the tests share.

pub mod bench;
pub mod browser;
pub mod claims;
pub mod mongo;
pub mod page;
pub mod people;
pub mod port;
pub mod process;
pub mod scene;
pub mod wait;
pub mod wire;
