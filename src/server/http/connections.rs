//! Connections: the protocol that is spoken on them, and how long a peer may take.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use axum::{Router, extract::Request};
use axum_server::{Handle, Server};
use futures_util::{FutureExt as _, future::ready};
use hyper::body::Incoming;
use socket2::{SockRef, TcpKeepalive};
use tower::service_fn;

use super::gate::Checks;
use crate::server::limits;

/// HTTP/1.1 alone: these bounds are that protocol's, and HTTP/2 ends at the proxy in front. A connection whose
/// first request is not complete within `head_timeout` is closed, also one that sends nothing at all; so is one that
/// stays idle that long between requests.
pub(crate) fn serve(
    listener: TcpListener,
    router: Router,
    handle: &Handle<SocketAddr>,
    head_timeout: Duration,
) -> Result<impl Future<Output = std::io::Result<()>> + use<>, String> {
    let mut server = open(listener, handle)?.first_request_timeout(head_timeout);
    let timer = hyper_util::rt::TokioTimer::new();
    let mut http1 = server.http_builder().http1();
    http1.timer(timer).header_read_timeout(head_timeout).max_headers(limits::REQUEST_HEADER_FIELDS);
    Ok(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()))
}

/// The questions of proxies: with nothing around the answers that each would have to pay for, no timer either. When an idle
/// connection ends is for proxies to decide; of one whose proxy is gone, the system finds out.
pub(crate) fn serve_checks(
    listener: TcpListener,
    checks: Checks,
    handle: &Handle<SocketAddr>,
) -> Result<impl Future<Output = std::io::Result<()>> + use<>, String> {
    // Connections have it from their listener.
    let keepalive = TcpKeepalive::new().with_time(limits::GATE_KEEPALIVE);
    SockRef::from(&listener).set_tcp_keepalive(&keepalive).map_err(|error| error.to_string())?;
    let mut server = open(listener, handle)?;
    // An answer is one piece, its head: nothing is to be gathered.
    server.http_builder().http1().header_read_timeout(None).writev(false);
    Ok(server.serve(service_fn(move |peer: SocketAddr| {
        let checks = checks.clone();
        let answer = move |request: Request<Incoming>| {
            checks.clone().answer(peer, request.into_parts().0).map(Ok::<_, Infallible>)
        };
        ready(Ok::<_, Infallible>(service_fn(answer)))
    })))
}

fn open(listener: TcpListener, handle: &Handle<SocketAddr>) -> Result<Server<SocketAddr>, String> {
    let server = axum_server::from_tcp(listener).map_err(|error| error.to_string())?;
    let mut server = server.handle(handle.clone()).http1_only();
    server.http_builder().http1().max_buf_size(limits::REQUEST_HEAD_BUFFER);
    Ok(server)
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Instant};

    use axum::routing::get;
    use futures_util::future::join_all;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
        time::timeout,
    };

    use super::*;

    /// Short for a peer that sends nothing, long enough for a request on a busy machine.
    const SHORT: Duration = Duration::from_secs(1);

    async fn connect() -> TcpStream {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "hello" }));
        tokio::spawn(serve(listener, router, &Handle::new(), SHORT).unwrap());
        TcpStream::connect(address).await.unwrap()
    }

    /// What the server sends until it closes the connection.
    async fn until_closed(mut stream: TcpStream) -> String {
        let mut received = Vec::new();
        let closed = timeout(Duration::from_secs(20), stream.read_to_end(&mut received)).await;
        // A reset closes it, too.
        let _ = closed.expect("the connection stays open");
        String::from_utf8_lossy(&received).into_owned()
    }

    #[tokio::test]
    async fn a_connection_without_a_request_is_closed() {
        let begun = ["", "P", "PRI * HT", "GET / HTTP/1.1\r\nhost: rp.test\r\n"];
        join_all(begun.map(|begun| async move {
            let since = Instant::now();
            let mut stream = connect().await;
            stream.write_all(begun.as_bytes()).await.unwrap();
            let received = until_closed(stream).await;
            assert!(!received.contains("200 OK"), "{begun:?}: {received}");
            assert!(since.elapsed() >= SHORT, "{begun:?}: a slow peer is given its time");
        }))
        .await;
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed() {
        let mut stream = connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: rp.test\r\n\r\n").await.unwrap();
        let received = until_closed(stream).await;
        assert!(received.starts_with("HTTP/1.1 200 OK") && received.ends_with("hello"), "{received}");
    }

    #[tokio::test]
    async fn http_2_is_not_spoken() {
        let mut stream = connect().await;
        // The preface and an empty SETTINGS frame (RFC 9113 3.4). A server of HTTP/2 begins with SETTINGS of its own.
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let received = until_closed(stream).await;
        assert!(received.is_empty() || received.starts_with("HTTP/1.1 "), "{received:?}");
    }
}
