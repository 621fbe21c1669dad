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
/// Where a provider posts a logout token.
pub const BACKCHANNEL_LOGOUT: &str = "/auth/oidc/backchannel-logout";
/// The keys that prove who we are at providers.
pub const CLIENT_JWKS: &str = "/auth/oidc/jwks.json";
/// On the login host: hands a signed-in person over to an application's host.
pub const HANDOVER: &str = "/auth/handover";
/// On an application's host: takes them over.
pub const ENTER: &str = "/auth/enter";
/// On an application's host: who is signed in, for its scripts.
pub const USERINFO: &str = "/auth/userinfo";
/// On an application's host, by POST: a token for its scripts.
pub const TOKEN: &str = "/auth/token";
/// The keys that assertions are signed with.
pub const JWKS: &str = "/auth/jwks.json";
/// On `gate_listen`: for proxies that take only yes or no.
pub const VERIFY: &str = "/auth/verify";
/// On `gate_listen`: where such a proxy sends the browser afterwards.
pub const DENIED: &str = "/auth/denied";
/// On `gate_listen`: for proxies that hand the answer to the browser.
pub const FORWARD: &str = "/auth/forward";
/// On `gate_listen`: the same for Envoy, before the path that is asked about.
pub const EXT_AUTHZ: &str = "/auth/ext-authz";
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
