//! What an address in the metadata has to be.

use openidconnect::url::Url;

use crate::server::settings::is_loopback;

/// An absolute https URL without user or fragment; http only beside a loopback http issuer. (DI-07; the crate takes any
/// URL. White space and control characters are refused since the parser would drop them silently.)
pub(super) fn endpoint(member: &str, text: &str, plain_http: bool) -> Result<Url, String> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("{member} is not a URL"));
    }
    let url = Url::parse(text).map_err(|error| format!("{member} is not an absolute URL ({error})"))?;
    match url.scheme() {
        "https" => {}
        "http" if plain_http && is_loopback(&url) => {}
        scheme => return Err(format!("{member} is {scheme}, not https")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{member} has a user name or password"));
    }
    if url.fragment().is_some() {
        return Err(format!("{member} has a fragment"));
    }
    Ok(url)
}
