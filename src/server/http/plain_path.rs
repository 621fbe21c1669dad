//! Doubled slashes in a path are one, and one at its end is none.

use axum::extract::Request;

/// Proxies that join two paths double their slashes, and some put one at the end. Taken away here, not by a redirect, whose
/// slashes such a proxy would put back, and which a POST would not survive.
pub(crate) fn plain_path(mut request: Request) -> Request {
    let path = request.uri().path();
    if !path.contains("//") && (path == "/" || !path.ends_with('/')) {
        return request;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = format!("/{}{query}", parts.join("/")).parse() {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn slashes_too_many_are_none() {
        for (asked, meant) in [
            ("//auth//login", "/auth/login"),
            ("/auth/oidc///callback?state=a//b&code=c", "/auth/oidc/callback?state=a//b&code=c"),
            ("//", "/"),
            ("/", "/"),
            ("/?return_to=/a/", "/?return_to=/a/"),
            ("/auth//", "/auth"),
            ("/auth/oidc/callback/?code=c/&state=s/", "/auth/oidc/callback?code=c/&state=s/"),
            ("/auth/login/", "/auth/login"),
            ("/auth/login?return_to=//x", "/auth/login?return_to=//x"),
        ] {
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = asked.parse().unwrap();
            assert_eq!(plain_path(request).uri(), meant, "{asked}");
        }
    }
}
