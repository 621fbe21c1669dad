//! Ready means able to sign in: a store that cannot be written is found at the start, or within seconds; and those who
//! sign in meanwhile are told at once.

#[cfg(unix)]
mod process;
mod running;
#[cfg(unix)]
mod start;
