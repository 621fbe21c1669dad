//! A browser: a cookie jar, and a person who follows links.

use std::{collections::BTreeMap, net::IpAddr, sync::Mutex, time::Duration};

use reqwest::{
    Method, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
};

use crate::support::{page::Page, port::ANY, scene::Scene, wait::eventually};

/// Names below `localhost` are this machine (RFC 6761 6.3), which not every system's resolver knows.
struct BelowLocalhost;

impl Resolve for BelowLocalhost {
    fn resolve(&self, name: Name) -> Resolving {
        let is_here = name.as_str() == "localhost" || name.as_str().ends_with(".localhost");
        assert!(is_here, "{} is nowhere near", name.as_str());
        let addresses: Addrs = Box::new(std::iter::once(ANY));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// A cookie jar and a connection.
pub struct Browser {
    client: reqwest::Client,
    pub cookies: Mutex<BTreeMap<(String, String), String>>,
    detour: Mutex<Option<(String, String)>>,
}

impl Default for Browser {
    fn default() -> Self {
        Self::at(None)
    }
}

impl Browser {
    /// With an address of its own, or the system's choice.
    pub fn at(address: Option<IpAddr>) -> Self {
        // reqwest asks for one, though everything here is plain http.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[allow(clippy::disallowed_methods)]
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .local_address(address)
            .dns_resolver(BelowLocalhost)
            // Programs come and go, and a reused connection would still lead to the old one.
            .pool_max_idle_per_host(0)
            // Everything here is plain http, and reading the system's roots is slow.
            .tls_certs_only([])
            .timeout(Duration::from_secs(90))
            .build()
            .unwrap();
        Self { client, cookies: Mutex::default(), detour: Mutex::default() }
    }

    pub async fn request(&self, method: Method, url: &str, headers: &[(&str, &str)], body: Option<String>) -> Page {
        let url = reqwest::Url::parse(url).unwrap();
        let site = url.origin().ascii_serialization();
        let detour = self.detour.lock().unwrap().clone().filter(|(from, _)| *from == site);
        let to = detour.map_or_else(|| url.to_string(), |(from, to)| url.as_str().replacen(&from, &to, 1));
        self.request_of(&site, method, &to, headers, body).await
    }

    /// With the cookies of `site`, whatever the URL.
    pub async fn request_of(
        &self,
        site: &str,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Page {
        let jar = self.cookies.lock().unwrap().clone();
        let cookie: Vec<_> =
            jar.iter().filter(|((at, _), _)| at == site).map(|((_, name), value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, url);
        if !cookie.is_empty() {
            request = request.header("cookie", cookie.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap_or_default();
            let (name, value) = pair.split_once('=').unwrap();
            let key = (site.to_owned(), name.to_owned());
            let mut jar = self.cookies.lock().unwrap();
            if attributes.contains("Max-Age=0") {
                jar.remove(&key);
            } else {
                jar.insert(key, value.to_owned());
            }
        }
        Page {
            status: response.status(),
            headers: response.headers().clone(),
            body: String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned(),
        }
    }

    /// From now on requests to the scene go to the program at `origin`, as with a load balancer.
    pub fn go_through(&self, scene: &Scene, origin: &str) {
        *self.detour.lock().unwrap() = Some((scene.origin.clone(), origin.to_owned()));
    }

    pub async fn get(&self, url: &str) -> Page {
        self.request(Method::GET, url, &[], None).await
    }

    pub async fn get_as(&self, url: &str, headers: &[(&str, &str)]) -> Page {
        self.request(Method::GET, url, headers, None).await
    }

    /// A form of our own pages.
    pub async fn post(&self, url: &str, body: &str) -> Page {
        self.request(Method::POST, url, &[("sec-fetch-site", "same-origin")], Some(body.to_owned())).await
    }

    pub fn cookie(&self, scene: &Scene, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(&(scene.origin.clone(), name.to_owned())).cloned()
    }

    pub fn forget(&self, scene: &Scene, name: &str) {
        self.cookies.lock().unwrap().remove(&(scene.origin.clone(), name.to_owned()));
    }

    /// Starts a sign-in; returns the provider's URL.
    pub async fn start(&self, scene: &Scene, return_to: &str) -> String {
        let page = self.get(&scene.url(&format!("/auth/oidc/login?return_to={return_to}"))).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:#?}");
        page.location().to_owned()
    }

    /// Starts a sign-in and gets the provider's response; returns the callback's URL.
    pub async fn callback_url(&self, scene: &Scene, return_to: &str) -> String {
        let provider = self.start(scene, return_to).await;
        let page = self.get(&provider).await;
        page.location().to_owned()
    }

    /// Signs in over the quick path and uses the session once.
    pub async fn sign_in(&self, scene: &Scene) {
        let callback = self.callback_url(scene, "/").await;
        // On a busy machine by the waiting page.
        let done = eventually("signed in", || async {
            let mut done = self.get(&callback).await;
            if !done.sets_session() && done.location().starts_with("/auth/oidc/callback?") {
                done = self.get(&scene.url(&format!("{}&wait=1", done.location()))).await;
            }
            (done.status != StatusCode::OK).then_some(done)
        });
        let done = done.await;
        assert!(done.sets_session(), "{done:#?}");
        assert!(self.is_signed_in(scene).await);
    }

    /// Repeats the request if the store is too slow, which on a busy machine needs no fault.
    pub async fn is_signed_in(&self, scene: &Scene) -> bool {
        for _ in 0..150 {
            let page = self.get(&scene.url("/auth/account")).await;
            match page.status {
                StatusCode::OK => return true,
                StatusCode::SEE_OTHER => return false,
                StatusCode::SERVICE_UNAVAILABLE => page.explains("store_unavailable"),
                _ => panic!("{page:#?}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the store never tells who is signed in");
    }

    /// Follows redirects until a page comes; `Err` is a path of the application's behind.
    pub async fn follow(&self, scene: &Scene, url: &str) -> Result<Page, String> {
        let mut url = url.to_owned();
        for _ in 0..20 {
            let page = self.get(&url).await;
            if !page.status.is_redirection() {
                return Ok(page);
            }
            let base = reqwest::Url::parse(&url).unwrap();
            let next = base.join(page.location()).unwrap();
            if next.as_str().starts_with(&scene.origin) && !next.path().starts_with("/auth/") {
                return Err(next.as_str()[scene.origin.len()..].to_owned());
            }
            url = next.to_string();
        }
        panic!("a redirect loop at {url}");
    }

    /// Asks the server function as the panel does.
    pub async fn ask(&self, scene: &Scene, query: &str) -> (Page, serde_json::Value) {
        let page = self.question(scene, query).await;
        let outcome = serde_json::from_str(&page.body).unwrap_or_else(|_| panic!("{page:#?}"));
        (page, outcome)
    }

    /// The same, whatever responds.
    pub async fn question(&self, scene: &Scene, query: &str) -> Page {
        let body = format!("query={}", url::form_urlencoded::byte_serialize(query.as_bytes()).collect::<String>());
        let headers = [("sec-fetch-site", "same-origin"), ("accept", "application/json")];
        self.request(Method::POST, &scene.url("/auth/api/complete-sign-in"), &headers, Some(body)).await
    }
}
