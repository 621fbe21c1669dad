//! Static files: the folder `target/site` (made by xtask or cargo-leptos), whose layout is that of the URLs.
//!
//! With debug assertions files are read from disk at each request, so that `make dev` shows a change at once;
//! without, they are in the program (`build.rs` sees to it that they exist).

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::Response,
};
use leptos::config::{LeptosOptions, get_config_from_str};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::{paths, view::AssetUrls};

#[derive(RustEmbed)]
#[folder = "target/site"]
// A fresh clone has no site yet; that must not stop `cargo check`.
#[allow_missing = true]
struct Site;

/// How wasm, glue and style are named, and where they lie in the site.
const OPTIONS: &str = include_str!("../../Leptos.toml");

/// The content is named by the URL: it can be kept for ever.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// The URL stays when the content changes.
const SHORT: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The static files of this program.
#[derive(Debug)]
pub struct Assets {
    urls: AssetUrls,
    /// The folder of the built files, in the site.
    built: String,
}

impl Assets {
    /// Finds the files that pages link.
    ///
    /// # Errors
    /// Which file is missing, in a sentence for the person who built the program.
    pub fn load() -> Result<Self, String> {
        let options = options()?;
        let site: Vec<_> = Site::iter().collect();
        let built = |extension| built(&site, &options, extension);
        let urls = AssetUrls {
            stylesheet: built("css")?,
            favicon: versioned("favicon.svg")?,
            again: versioned("again.js")?,
            submit: versioned("submit.js")?,
            boot: versioned("boot.js")?,
            script: built("js")?,
            wasm: built("wasm")?,
        };
        Ok(Self { urls, built: options.site_pkg_dir.to_string() })
    }

    /// The URLs that pages link.
    #[must_use]
    pub const fn urls(&self) -> &AssetUrls {
        &self.urls
    }

    /// The file at `uri`, in the smallest encoding that the browser accepts; `None` if there is none.
    ///
    /// For GET and HEAD (axum drops the body of the latter).
    #[must_use]
    pub fn serve(&self, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
        let name = file_name(uri.path())?;
        let content_type = content_type(name)?;
        let plain = Site::get(name)?;
        let immutable = self.is_named_by_content(name) || uri.query() == Some(version(&plain).as_str());
        let (encoding, file) = Encoding::best(headers)
            .find_map(|encoding| Some((Some(encoding), Site::get(&format!("{name}.{}", encoding.extension()))?)))
            .unwrap_or((None, plain));

        let etag = format!("\"{}\"", version(&file));
        let fresh = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| matches_etag(value, &etag));
        let length = file.data.len();
        let mut response = Response::new(if fresh { Body::empty() } else { Body::from(file.data) });
        if fresh {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let answer = response.headers_mut();
        answer.insert(header::ETAG, HeaderValue::try_from(etag).ok()?);
        answer.insert(header::CACHE_CONTROL, if immutable { IMMUTABLE } else { SHORT });
        answer.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if !fresh {
            answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            answer.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            if let Some(encoding) = encoding {
                answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.token()));
            }
        }
        Some(response)
    }

    /// Whether `name` is `…/pkg/vestibule.HASH.EXTENSION`, as xtask and `cargo leptos build --release` write it.
    fn is_named_by_content(&self, name: &str) -> bool {
        name.rsplit_once('/').is_some_and(|(folder, file)| folder == self.built && file.split('.').count() == 3)
    }
}

fn options() -> Result<LeptosOptions, String> {
    get_config_from_str(OPTIONS).map_err(|error| format!("Leptos.toml, or a LEPTOS_ variable: {error}"))
}

/// The file of the site that a request path means: under `paths::ASSETS` or one of the two that browsers and
/// crawlers look for at the root.
fn file_name(path: &str) -> Option<&str> {
    match path {
        "/favicon.ico" => Some("favicon.ico"),
        "/robots.txt" => Some("robots.txt"),
        _ => {
            let name = path.strip_prefix('/')?;
            let below = path.strip_prefix(paths::ASSETS)?.strip_prefix('/')?;
            // No `.`, `..`, hidden or empty segment, nothing that needs decoding: what is left cannot leave the folder.
            let plain = |segment: &str| {
                !segment.is_empty()
                    && !segment.starts_with('.')
                    && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            };
            below.split('/').all(plain).then_some(name)
        }
    }
}

/// By extension; `None` is not served, the compressed forms among them.
fn content_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => return None,
    })
}

/// The URL of the built file with this extension, hashed or not.
fn built(site: &[std::borrow::Cow<'static, str>], options: &LeptosOptions, extension: &str) -> Result<String, String> {
    let (folder, name) = (format!("/{}/", options.site_pkg_dir), &*options.output_name);
    let mut found = site.iter().map(|name| format!("/{name}")).filter(|path| {
        path.strip_prefix(&folder).is_some_and(|file| {
            let mut parts = file.split('.');
            parts.next() == Some(name) && parts.next_back() == Some(extension) && parts.count() <= 1
        })
    });
    let advice = "run `cargo run -p xtask -- site`";
    match (found.next(), found.next()) {
        (Some(path), None) => Ok(path),
        (None, _) => Err(format!("the site has no {folder}{name}….{extension}: {advice}")),
        (Some(one), Some(two)) => Err(format!("the site has both {one} and {two}: {advice}")),
    }
}

/// The URL of a file of ours whose name has no hash, made immutable by a query that names the content.
fn versioned(name: &str) -> Result<String, String> {
    let path = format!("{}/{name}", paths::ASSETS);
    let file =
        file_name(&path).and_then(Site::get).ok_or_else(|| format!("the site has no {path}: is it in public/?"))?;
    Ok(format!("{path}?{}", version(&file)))
}

/// 64 bits of the content's SHA-256.
fn version(file: &EmbeddedFile) -> String {
    let [a, b, c, d, e, f, g, h, ..] = file.metadata.sha256_hash();
    hex::encode([a, b, c, d, e, f, g, h])
}

/// Weak comparison (RFC 9110 section 8.8.3.2): a proxy that compresses again marks our tags as weak.
fn matches_etag(if_none_match: &HeaderValue, etag: &str) -> bool {
    if_none_match.to_str().is_ok_and(|list| {
        list.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    })
}

/// A form in which a file may lie beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    /// Those that `headers` accept, the smaller form first whatever their weights: both are read at no cost.
    fn best(headers: &HeaderMap) -> impl Iterator<Item = Self> {
        [Self::Brotli, Self::Gzip].into_iter().filter(|encoding| {
            let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
            accepted.filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')).any(|coding| {
                let (token, weight) = coding.split_once(';').unwrap_or((coding, ""));
                // `q=0`, `q=0.0` … refuse it (RFC 9110 section 12.4.2).
                let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
                token.trim().eq_ignore_ascii_case(encoding.token()) && weight.is_ok_and(|weight| weight > 0.0)
            })
        })
    }

    const fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assets() -> Assets {
        Assets::load().expect("target/site (cargo run -p xtask -- site)")
    }

    fn get(url: &str, request: &[(header::HeaderName, &'static str)]) -> Option<Response> {
        let headers = request.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        assets().serve(&url.parse().unwrap(), &headers)
    }

    fn value(response: &Response, name: header::HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn every_linked_file_is_there_and_immutable() {
        let urls = assets().urls().clone();
        for (url, content_type) in [
            (urls.stylesheet, "text/css; charset=utf-8"),
            (urls.favicon, "image/svg+xml"),
            (urls.again, "text/javascript; charset=utf-8"),
            (urls.boot, "text/javascript; charset=utf-8"),
            (urls.script, "text/javascript; charset=utf-8"),
            (urls.wasm, "application/wasm"),
        ] {
            let response = get(&url, &[]).unwrap_or_else(|| panic!("{url}"));
            assert_eq!(response.status(), StatusCode::OK, "{url}");
            assert_eq!(value(&response, header::CONTENT_TYPE), content_type, "{url}");
            assert_eq!(value(&response, header::CACHE_CONTROL), IMMUTABLE.to_str().unwrap(), "{url}");
            assert_eq!(value(&response, header::VARY), "accept-encoding", "{url}");
            assert_eq!(value(&response, header::CONTENT_ENCODING), "", "{url}");
        }
    }

    #[test]
    fn a_name_that_stays_is_kept_for_minutes_only() {
        for url in ["/auth/assets/boot.js", "/auth/assets/boot.js?0000000000000000", "/robots.txt", "/favicon.ico"] {
            assert_eq!(value(&get(url, &[]).unwrap(), header::CACHE_CONTROL), SHORT.to_str().unwrap(), "{url}");
        }
        assert_eq!(value(&get("/favicon.ico", &[]).unwrap(), header::CONTENT_TYPE), "image/x-icon");
    }

    #[test]
    fn the_encoding_is_one_that_was_asked_for() {
        let url = assets().urls().stylesheet.clone();
        for (accept, encoding) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip", "gzip"),
            ("br;q=0, gzip;q=0.5", "gzip"),
            ("br;q=0.000, GZIP", "gzip"),
            ("br ; q=1", "br"),
            ("brotli, x-gzip", ""),
            ("*", ""),
            ("identity", ""),
            ("br;q=x", ""),
        ] {
            let response = get(&url, &[(header::ACCEPT_ENCODING, accept)]).unwrap();
            assert_eq!(value(&response, header::CONTENT_ENCODING), encoding, "{accept}");
        }
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        let url = assets().urls().wasm.clone();
        let first = get(&url, &[(header::ACCEPT_ENCODING, "br")]).unwrap();
        let etag: &'static str = Box::leak(value(&first, header::ETAG).to_owned().into_boxed_str());
        let weak: &'static str = Box::leak(format!("\"x\", W/{etag}").into_boxed_str());
        for known in [etag, weak, "*"] {
            let again = get(&url, &[(header::ACCEPT_ENCODING, "br"), (header::IF_NONE_MATCH, known)]).unwrap();
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(value(&again, header::ETAG), etag);
            assert_eq!(value(&again, header::CONTENT_ENCODING), "");
        }
        let other = get(&url, &[(header::ACCEPT_ENCODING, "gzip"), (header::IF_NONE_MATCH, etag)]).unwrap();
        assert_eq!(other.status(), StatusCode::OK, "another encoding has another tag");
    }

    #[test]
    fn nothing_else_is_served() {
        let style = assets().urls().stylesheet.clone();
        for url in [
            "/auth/assets",
            "/auth/assets/",
            "/auth/assets/pkg",
            "/auth/assets/pkg/",
            "/auth/assets/nothing.js",
            "/auth/assets/../robots.txt",
            "/auth/assets/../../../Cargo.toml",
            "/auth/assets/..%2f..%2f..%2fCargo.toml",
            "/auth/assets/%2e%2e/robots.txt",
            "/auth/assets/./boot.js",
            "/auth/assets//boot.js",
            "/auth/assets/pkg//boot.js",
            "/auth/assets/boot.js/",
            "/auth/assets/boot.js%00",
            "/auth/assets/.hidden.js",
            "/auth/assetsx/boot.js",
            "/boot.js",
            "/Cargo.toml",
            "/",
            &format!("{style}.br"),
            &format!("{style}.gz"),
        ] {
            assert!(get(url, &[]).is_none(), "{url}");
        }
    }

    #[test]
    fn built_files_are_found_by_either_name() {
        let options = options().unwrap();
        let find = |names: &[&'static str]| {
            built(&names.iter().map(|name| (*name).into()).collect::<Vec<_>>(), &options, "js")
        };
        let pkg = "auth/assets/pkg/vestibule";
        assert_eq!(find(&["auth/assets/pkg/vestibule.js"]).unwrap(), format!("/{pkg}.js"));
        let names = ["auth/assets/pkg/vestibule.1f.js", "auth/assets/pkg/vestibule.1f.js.br", "auth/assets/boot.js"];
        assert_eq!(find(&names).unwrap(), format!("/{pkg}.1f.js"));
        assert!(find(&["auth/assets/pkg/other.js", "auth/assets/pkg/vestibule.1f.js.gz"]).is_err());
        assert!(find(&["auth/assets/pkg/vestibule.1f.js", "auth/assets/pkg/vestibule.2e.js"]).is_err());
    }
}
