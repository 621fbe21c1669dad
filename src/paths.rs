//! Every path the program serves. All of them live under `/auth/`, so that one `location /auth/` in a proxy is the
//! whole routing beside any application; the few others are for a host that Vestibule owns alone.

/// Above all of them: leads to the account page, or to the login page.
pub const ROOT: &str = "/auth";
/// The login page: one button per provider.
pub const LOGIN: &str = "/auth/login";
/// The signed-in person's page.
pub const ACCOUNT: &str = "/auth/account";
/// Sign-out, by POST only.
pub const LOGOUT: &str = "/auth/logout";
/// Where sign-out lands.
pub const SIGNED_OUT: &str = "/auth/signed-out";
/// Starts a sign-in: `?provider=&return_to=`.
pub const OIDC_LOGIN: &str = "/auth/oidc/login";
/// The redirect URI registered at every provider.
pub const OIDC_CALLBACK: &str = "/auth/oidc/callback";
/// Prefix of the server functions.
pub const API: &str = "/auth/api";
/// The server function that completes a sign-in.
pub const COMPLETE_SIGN_IN: &str = "/auth/api/complete-sign-in";
/// Prefix of the static files.
pub const ASSETS: &str = "/auth/assets";
/// On `admin_listen`: Prometheus' text.
pub const METRICS: &str = "/metrics";
/// On `admin_listen`: prefix of the traces by reference.
pub const ATTEMPTS: &str = "/attempts";
/// `200` while the process lives.
pub const HEALTHZ: &str = "/healthz";
/// `200` while store and keys are in order.
pub const READYZ: &str = "/readyz";
