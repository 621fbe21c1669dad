//! HTTP/1.1 by hand: one reused connection, one request after the other, and of each response what a flood needs. A
//! client library would cost this machine more than the program that is tested.

use std::{
    net::{Ipv4Addr, SocketAddr},
    str,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpSocket, TcpStream},
};

/// A reused connection of a client.
pub struct Wire {
    stream: BufReader<TcpStream>,
    host: String,
    line: Vec<u8>,
}

/// A response.
pub struct Answer {
    pub status: u16,
    /// As on the wire, from the status line to the empty one.
    pub head_bytes: usize,
    /// Where it redirects to; empty: nowhere.
    pub location: String,
    /// The cookies that it sets, `name=value`.
    pub cookies: Vec<String>,
    pub body: Vec<u8>,
}

impl Wire {
    /// From this address of ours.
    pub async fn open(from: Ipv4Addr, to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        let stream = socket.connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), host: to.to_string(), line: Vec::new() }
    }

    pub async fn get(&mut self, path: &str, cookie: Option<&str>) -> Answer {
        let cookie = cookie.map_or_else(String::new, |cookie| format!("cookie: {cookie}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: text/html\r\n{cookie}\r\n", self.host);
        self.exchange(&request).await
    }

    /// A request as it stands there, whole or not.
    pub async fn exchange(&mut self, request: &str) -> Answer {
        self.stream.get_mut().write_all(request.as_bytes()).await.unwrap();
        let status = self.line().await.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let head_bytes = self.line.len();
        let mut answer = Answer { status, head_bytes, location: String::new(), cookies: Vec::new(), body: Vec::new() };
        let mut length = None;
        loop {
            let (name, value) = match self.line().await {
                "" => break,
                line => line.split_once(": ").expect("a header"),
            };
            match name {
                "location" => value.clone_into(&mut answer.location),
                "set-cookie" => answer.cookies.extend(value.split(';').next().map(str::to_owned)),
                "content-length" => length = Some(value.parse().expect("a number")),
                _ => {}
            }
            answer.head_bytes += self.line.len();
        }
        answer.head_bytes += self.line.len();
        // Only 204 and 304 may do without, and are not asked for.
        answer.body.resize(length.expect("a length"), 0);
        self.stream.read_exact(&mut answer.body).await.unwrap();
        answer
    }

    /// What is said to bytes that may be no request, up to where the connection is closed.
    pub async fn says(mut self, bytes: &[u8]) -> String {
        // It may be closed before all of them are sent.
        let _ = self.stream.get_mut().write_all(bytes).await;
        let _ = self.stream.get_mut().shutdown().await;
        let mut said = Vec::new();
        let _ = self.stream.read_to_end(&mut said).await;
        String::from_utf8_lossy(&said).into_owned()
    }

    async fn line(&mut self) -> &str {
        self.line.clear();
        self.stream.read_until(b'\n', &mut self.line).await.unwrap();
        str::from_utf8(&self.line).unwrap().strip_suffix("\r\n").expect("a whole line")
    }
}
