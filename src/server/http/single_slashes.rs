//! Doubled slashes in a path are one.

use axum::extract::Request;

/// Proxies that join two paths double their slashes. Collapsed here, not by a redirect, whose slashes such a proxy
/// would double again.
pub(crate) fn single_slashes(mut request: Request) -> Request {
    let path = request.uri().path();
    if !path.contains("//") {
        return request;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let slash = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = format!("/{}{slash}{query}", parts.join("/")).parse() {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn doubled_slashes_are_one() {
        for (asked, meant) in [
            ("//auth//login", "/auth/login"),
            ("/auth/oidc///callback?state=a//b&code=c", "/auth/oidc/callback?state=a//b&code=c"),
            ("//", "/"),
            ("/auth//", "/auth/"),
            ("/auth/login?return_to=//x", "/auth/login?return_to=//x"),
        ] {
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = asked.parse().unwrap();
            assert_eq!(single_slashes(request).uri(), meant, "{asked}");
        }
    }
}
