//! A response of the program, and what tests read from it.

use reqwest::{StatusCode, header::HeaderMap};

/// The header budget of the contract.
pub const MOST_HEADER_BYTES: usize = 1_536;

/// A response, with what tests read from it.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    pub fn location(&self) -> &str {
        self.headers.get("location").map_or_else(|| panic!("no redirect: {self:#?}"), |it| it.to_str().unwrap())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    /// As on the wire, status line aside.
    pub fn header_bytes(&self) -> usize {
        self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
    }

    pub fn sets_session(&self) -> bool {
        let cookies = self.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap());
        cookies.into_iter().any(|it| it.starts_with("vestibule=") && !it.starts_with("vestibule=;"))
    }

    /// An attribute of the panel.
    pub fn data(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("data-{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }

    /// Where the first button leads.
    #[track_caller]
    pub fn button(&self) -> String {
        let links = self.body.split("<a ").filter_map(|link| link.split_once('>'));
        let button = links.map(|(link, _)| link).find(|link| link.contains("class=\"button\""));
        let href = button.and_then(|link| link.split_once("href=\"")?.1.split_once('"'));
        href.unwrap_or_else(|| panic!("no way on: {}", self.body)).0.replace("&amp;", "&")
    }

    /// The explained page with this code.
    #[track_caller]
    pub fn explains(&self, code: &str) {
        assert_eq!(self.data("code"), Some(code), "{self:#?}");
        assert!(self.body.contains("<h1"), "{self:#?}");
        assert!(!matches!(self.status.as_u16(), 500 | 502 | 504), "{self:#?}");
        assert!(!self.sets_session(), "{self:#?}");
        assert_eq!(self.header("cache-control"), "no-store");
        assert!(self.header("content-security-policy").contains("default-src 'none'"));
        assert!(self.header_bytes() < MOST_HEADER_BYTES, "{}", self.header_bytes());
    }
}

/// The query of a URL or path.
pub fn query(url: &str) -> &str {
    url.split_once('?').map_or("", |(_, query)| query)
}
