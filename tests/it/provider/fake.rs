//! A provider that says exactly what a test tells it to, and remembers what it was asked.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, State},
    http::{HeaderMap, Request, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use futures_util::stream;
use openidconnect::{
    JsonWebKeyId, PrivateSigningKey as _,
    core::{CoreHmacKey, CoreJwsSigningAlgorithm as Alg, CoreRsaPrivateSigningKey},
};
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
    pub peer: SocketAddr,
}

/// What to say.
#[derive(Clone)]
pub enum Reply {
    Text {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Never a byte.
    Never,
    /// A byte now and then, for ever.
    Trickle,
    /// As much as is taken, for ever.
    Endless,
}

pub fn json(body: &Value) -> Reply {
    text(200, "application/json", &body.to_string())
}

pub fn text(status: u16, content_type: &str, body: &str) -> Reply {
    Reply::Text { status, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
}

pub fn with(reply: Reply, name: &'static str, value: &str) -> Reply {
    let Reply::Text { status, mut headers, body } = reply else { panic!("no headers") };
    headers.push((name, value.to_owned()));
    Reply::Text { status, headers, body }
}

#[derive(Clone, Default)]
pub struct Fake {
    pub base: String,
    /// By path; the last of a queue stays.
    replies: Arc<Mutex<HashMap<String, VecDeque<Reply>>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(listener)
    }

    pub fn serve(listener: TcpListener) -> Self {
        let fake = Self { base: format!("http://{}", listener.local_addr().unwrap()), ..Self::default() };
        let app =
            Router::new().fallback(answer).with_state(fake.clone()).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        fake
    }

    pub fn says(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().unwrap().insert(path.to_owned(), replies.into_iter().collect());
    }

    pub fn seen(&self, path: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.path == path).cloned().collect()
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn answer(
    State(fake): State<Fake>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path().to_owned();
    let reply = {
        let mut replies = fake.replies.lock().unwrap();
        match replies.get_mut(&path) {
            Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
            Some(queue) => queue.front().cloned().unwrap(),
            None => text(404, "text/plain", "nothing here"),
        }
    };
    let seen = Seen { path, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap(), peer };
    fake.seen.lock().unwrap().push(seen);
    let chunks = |pause: u64, chunk: &'static [u8]| {
        Body::from_stream(stream::unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(chunk)), ()))
        }))
    };
    match reply {
        Reply::Text { status, headers, body } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Reply::Never => std::future::pending().await,
        Reply::Trickle => {
            Response::builder().header("content-type", "application/json").body(chunks(50, b" ")).unwrap()
        }
        Reply::Endless => {
            Response::builder().header("content-type", "application/json").body(chunks(0, &[b' '; 16384])).unwrap()
        }
    }
}

/// Reads one request at a time to its end, counts it, and cuts the connection.
pub async fn cutting() -> (String, Arc<Mutex<usize>>) {
    use tokio::io::AsyncReadExt as _;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&request).contains("code_verifier=") {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(n) => request.extend_from_slice(&buffer[..n]),
                }
            }
            *count.lock().unwrap() += 1;
        }
    });
    (base, requests)
}

/// What signs tokens.
pub enum Key {
    Rsa(Box<CoreRsaPrivateSigningKey>, &'static str),
    Ec(Box<p256::ecdsa::SigningKey>, &'static str),
}

impl Key {
    pub fn rsa() -> Self {
        Self::pem(include_str!("../../provider/rsa-2048.pem"), "one")
    }

    pub fn next() -> Self {
        Self::pem(include_str!("../../provider/rsa-2048-next.pem"), "two")
    }

    pub fn pem(pem: &str, kid: &'static str) -> Self {
        Self::Rsa(Box::new(CoreRsaPrivateSigningKey::from_pem(pem, Some(JsonWebKeyId::new(kid.into()))).unwrap()), kid)
    }

    pub fn ec() -> Self {
        Self::Ec(Box::new(p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap()), "ec")
    }

    pub fn kid(&self) -> &'static str {
        match self {
            Self::Rsa(_, kid) | Self::Ec(_, kid) => kid,
        }
    }

    pub fn jwk(&self) -> Value {
        match self {
            Self::Rsa(key, _) => serde_json::to_value(key.as_verification_key()).unwrap(),
            Self::Ec(key, kid) => {
                let point = key.verifying_key().to_sec1_point(false);
                let bytes = point.as_bytes();
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": B64.encode(&bytes[1..33]), "y": B64.encode(&bytes[33..])})
            }
        }
    }

    fn sign(&self, alg: &str, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(key, _) => key.sign(&serde_json::from_value::<Alg>(json!(alg)).unwrap(), input).unwrap(),
            Self::Ec(key, _) => {
                let signature: p256::ecdsa::Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
        }
    }

    pub fn jwt(&self, alg: &str, payload: &str) -> String {
        self.jwt_with(&json!({"alg": alg, "kid": self.kid(), "typ": "JWT"}).to_string(), alg, payload)
    }

    pub fn jwt_with(&self, header: &str, alg: &str, payload: &str) -> String {
        let input = format!("{}.{}", B64.encode(header), B64.encode(payload));
        let signature = self.sign(alg, input.as_bytes());
        format!("{input}.{}", B64.encode(signature))
    }
}

pub fn hs256(secret: &[u8], kid: &str, payload: &str) -> String {
    let header = json!({"alg": "HS256", "kid": kid}).to_string();
    let input = format!("{}.{}", B64.encode(header), B64.encode(payload));
    let signature = CoreHmacKey::new(secret).sign(&Alg::HmacSha256, input.as_bytes()).unwrap();
    format!("{input}.{}", B64.encode(signature))
}

/// Answers every request with `body` as JSON over TLS, with a certificate for 127.0.0.1 of the root in `ca.pem`.
pub async fn over_tls(body: impl FnOnce(&str) -> String) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::{
        TlsAcceptor,
        rustls::{
            ServerConfig,
            pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        },
    };
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../../provider/tls-cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../provider/tls-key.pem")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let body = body(&base);
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                drop(stream.read(&mut [0; 4096]).await);
                drop(stream.write_all(answer.as_bytes()).await);
                drop(stream.shutdown().await);
            }
        }
    });
    base
}
