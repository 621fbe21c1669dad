//! HTTP/1.1 by hand, since most of what a provider can do wrong happens below any HTTP library.

mod connection;
mod gzip;
mod message;

pub(crate) use connection::Connection;
