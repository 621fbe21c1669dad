//! The program within this process, asked as a proxy asks it.

use std::{fs, io::Write as _, net::SocketAddr, path::Path};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode},
};
use futures_util::future::join_all;
use tokio::runtime;
use tokio_util::sync::CancellationToken;
use tower::{Service as _, ServiceExt as _};
use vestibule::server::{clock::System, startup};

use crate::{Outcome, bare, settings};

/// Questions at once where many people are to be known soon.
const AT_ONCE: usize = 64;

/// Asks with the first of the cookies.
pub(crate) fn ask(config: &Path, cookies: &Path, times: u32, bare: bool) -> Outcome<()> {
    let cookies = fs::read_to_string(cookies)?;
    let cookie = cookies.lines().next().ok_or("there is no cookie")?;
    run(config, async |checks| {
        let mut router = if bare { bare::router() } else { checks };
        for _ in 0..times {
            must_pass(router.call(question(cookie)?).await?.status())?;
        }
        Ok(())
    })
}

/// Asks with each of the cookies. What the first has brought into memory is not theirs.
pub(crate) fn memory(config: &Path, cookies: &Path) -> Outcome<()> {
    let cookies = fs::read_to_string(cookies)?;
    let cookies: Vec<_> = cookies.lines().collect();
    run(config, async |checks| {
        let mut before = 0;
        for some in cookies.chunks(AT_ONCE) {
            let questions = some.iter().map(|cookie| question(cookie)).collect::<Result<Vec<_>, _>>()?;
            for answer in join_all(questions.into_iter().map(|question| checks.clone().oneshot(question))).await {
                must_pass(answer?.status())?;
            }
            if before == 0 {
                before = resident()?;
            }
        }
        writeln!(std::io::stdout(), "{}", resident()?.saturating_sub(before))?;
        Ok(())
    })
}

fn run(config: &Path, with: impl AsyncFnOnce(Router) -> Outcome<()>) -> Outcome<()> {
    let settings = settings(config)?;
    // One thread: what is counted is the same each time.
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let bound = startup::bind(settings, System::real()).await.map_err(String::from)?;
        let checks = bound.checks();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(bound.serve(shutdown.clone()));
        let done = with(checks).await;
        shutdown.cancel();
        serving.await??;
        done
    })
}

/// What nginx asks by `auth_request`, with the headers of a browser.
fn question(cookie: &str) -> Result<Request<Body>, axum::http::Error> {
    let peer: SocketAddr = ([127, 0, 0, 1], 1).into();
    Request::get("/auth/verify")
        .header("host", "127.0.0.1")
        .header("x-forwarded-method", "GET")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "wiki.example.com")
        .header("x-forwarded-uri", "/page?x=1")
        .header("x-forwarded-for", "192.0.2.7")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .header("accept-language", "en-US,en;q=0.5")
        .header("accept-encoding", "gzip, deflate, br, zstd")
        .header("cookie", format!("theme=dark; __Host-vestibule={cookie}"))
        .extension(ConnectInfo(peer))
        .body(Body::empty())
}

fn must_pass(status: StatusCode) -> Outcome<()> {
    if status == StatusCode::OK { Ok(()) } else { Err(format!("the check answers {status}").into()) }
}

/// Bytes of memory that the process has.
fn resident() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
