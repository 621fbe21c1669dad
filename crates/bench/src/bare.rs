//! A handler with nothing in it.

use std::{io::Write as _, net::Ipv4Addr};

use axum::{Router, http::StatusCode, routing::any};
use tokio::{net::TcpListener, runtime};

use crate::Outcome;

/// Answers every question with 200.
pub(crate) fn router() -> Router {
    Router::new().route("/auth/verify", any(|| async { StatusCode::OK }))
}

/// Serves it, in a runtime like the program's.
pub(crate) fn serve() -> Outcome<()> {
    runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
        Ok(axum::serve(listener, router()).await?)
    })
}
