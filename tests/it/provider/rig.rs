//! The provider side of the program in front of a test provider, both with the same stopped clock.

use std::{future::ready, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use test_provider::{
    Authentication, Behaviour, Client, DemoPerson, Document, Edit, Endpoint, Fault, Grant, HeadEdit, JwtEdit, Profile,
    ProviderConfig, Rule, RunningProvider,
};
use time::{OffsetDateTime, macros::datetime};
use tokio::time::Instant;
use vestibule::server::{
    clock::{Clock, System},
    ids::{Issuer, ProviderId},
    provider::{AuthorizationRequest, Prompt, Provider, ProviderFault, Providers, Redemption, VerifiedClaims},
    settings::{AuthenticationRequestSettings, ClientAuth, ProviderSettings, PublicUrl},
    trace::Trace,
};

pub const NOW: OffsetDateTime = datetime!(2026-11-23 12:00:00 UTC);
pub const NONCE: &str = "nonce-of-this-attempt";
pub const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";
pub const CODE: &str = "the-code";
pub const SECRET: &str = "s3cret a+b%c:d&é";
pub const CLIENT: &str = "client:1 é";
pub const REDIRECT_URI: &str = "https://rp.example.com/auth/oidc/callback";
/// Every access token: the test provider's randomness is 32 times the same byte.
pub const ACCESS: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
/// The `kid` of the RSA key that signs before any rotation.
pub const KID: &str = "demo-rsa-2048-0";
pub const PLENTY: Duration = Duration::from_secs(60);

/// The ID token and userinfo give different names, so that a test sees which of them it got.
pub const NAME_IN_ID_TOKEN: &str = "From the ID token";
pub const NAME_AT_USERINFO: &str = "Alice Example";

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> OffsetDateTime {
        NOW
    }
}

impl test_provider::System for Stopped {
    fn now(&self) -> OffsetDateTime {
        NOW
    }

    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

pub fn system() -> System {
    System { clock: Arc::new(Stopped), ..System::real() }
}

pub struct Rig {
    pub op: Arc<RunningProvider>,
    pub providers: Providers,
}

impl Rig {
    /// A provider that does everything right, and a program that knows nothing of it yet.
    pub async fn new() -> Self {
        Self::over(op(|_| {}).await, |_| {})
    }

    /// A program that knows nothing yet of a provider, which does everything right again.
    pub fn over(op: Arc<RunningProvider>, change: impl FnOnce(&mut ProviderSettings)) -> Self {
        let mut settings = settings(op.issuer());
        change(&mut settings);
        let providers = Providers::new(vec![settings], &public_url(), &system()).unwrap();
        let rig = Self { op, providers };
        rig.says([]);
        rig
    }

    /// From now on the provider does these things, and everything else right. Ends what it was told before.
    pub fn says(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.op.behave_well();
        for behaviour in right(self.op.issuer()).into_iter().chain(behaviours) {
            self.op.behave(Rule::standing(behaviour));
        }
    }

    /// The next time the provider does this; after that, what it was told before.
    pub fn once(&self, behaviour: Behaviour) {
        self.op.behave(Rule::once(behaviour));
    }

    pub fn provider(&self) -> Arc<Provider> {
        Arc::clone(self.providers.get(&ProviderId::new("p")).unwrap())
    }

    pub async fn begin(&self) -> Result<url::Url, ProviderFault> {
        self.provider().authorization_url(request(Prompt::Usual), |_| ready(Some(()))).await
    }

    pub async fn redeem(&self) -> Result<VerifiedClaims, ProviderFault> {
        self.redeem_within(PLENTY).await.0
    }

    /// Redeems a code that the provider has just issued. No fault may tell a secret.
    pub async fn redeem_within(&self, deadline: Duration) -> (Result<VerifiedClaims, ProviderFault>, Trace) {
        self.op.issue_code(CODE, grant());
        let mut trace = Trace::begin();
        let redemption = Redemption {
            code: SecretString::from(CODE),
            verifier: SecretString::from(VERIFIER),
            nonce: NONCE.into(),
            started: NOW,
            send_until: Instant::now() + vestibule::server::limits::CODE_LIFE,
            deadline: Instant::now() + deadline,
        };
        let outcome = self.provider().redeem(redemption, &mut trace).await;
        if let Err(fault) = &outcome {
            let words = format!("{fault} {fault:?}");
            for secret in [CODE, VERIFIER, SECRET, ACCESS, NONCE] {
                assert!(!words.contains(secret), "{words}");
            }
            assert!(fault.to_string().len() < 260, "{words}");
        }
        (outcome, trace)
    }

    /// The code of the fault, or "ok".
    pub async fn code_of(&self) -> &'static str {
        code(&self.redeem().await)
    }
}

pub fn code(outcome: &Result<VerifiedClaims, ProviderFault>) -> &'static str {
    outcome.as_ref().map_or_else(ProviderFault::code, |_| "ok")
}

/// The names of a trace's steps, in order.
pub fn steps(trace: &Trace) -> Vec<&str> {
    trace.steps().iter().map(|step| step.name.as_str()).collect()
}

/// A provider with one person and one client.
pub async fn op(change: impl FnOnce(&mut ProviderConfig)) -> Arc<RunningProvider> {
    let mut config = ProviderConfig::new(Profile::Standard).with_client(Client::basic(CLIENT, SECRET, REDIRECT_URI));
    config.people = vec![DemoPerson { sub: "subject-1".to_owned(), ..DemoPerson::alice() }];
    config.system = Arc::new(Stopped);
    change(&mut config);
    Arc::new(RunningProvider::start(config).await.unwrap())
}

/// A provider where the client authenticates in this way.
pub async fn op_with(authentication: Authentication) -> Arc<RunningProvider> {
    op(|config| config.clients[0].authentication = authentication).await
}

/// What this provider says differently from the profile although it is right: nothing may come of it.
fn right(issuer: &str) -> [Behaviour; 3] {
    let set = |members: serde_json::Value| Edit { set: members.as_object().unwrap().clone(), ..Edit::default() };
    [
        edit(
            Document::Discovery,
            set(json!({
                "authorization_endpoint": format!("{issuer}/authorize?tenant=1"),
                "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            })),
        ),
        edit(Document::Token, set(json!({"token_type": "bearer", "refresh_token": "r"}))),
        claims(set(json!({"aud": [CLIENT], "azp": CLIENT, "name": NAME_IN_ID_TOKEN}))),
    ]
}

fn grant() -> Grant {
    Grant {
        client_id: CLIENT.to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
        username: "alice".to_owned(),
        scope: "openid profile email groups".to_owned(),
        nonce: Some(NONCE.to_owned()),
        challenge: Some(B64.encode(Sha256::digest(VERIFIER))),
        signed_in_at: NOW,
    }
}

pub fn request(prompt: Prompt) -> AuthorizationRequest {
    AuthorizationRequest {
        state: "x".repeat(500),
        nonce: NONCE.into(),
        verifier: SecretString::from(VERIFIER),
        prompt,
        login_hint: None,
    }
}

pub fn public_url() -> PublicUrl {
    PublicUrl::parse("https://rp.example.com").unwrap()
}

pub fn settings(issuer: &str) -> ProviderSettings {
    ProviderSettings {
        id: ProviderId::new("p"),
        name: "Example".into(),
        issuer: Issuer::new(issuer),
        client_id: CLIENT.into(),
        client_auth: ClientAuth::Basic(SecretString::from(SECRET)),
        pushed_requests: false,
        id_token_algorithms: Vec::new(),
        userinfo_algorithms: Vec::new(),
        scopes: ["openid", "profile", "email"].map(String::from).into(),
        end_session: true,
        trusted_audiences: Vec::new(),
        request: AuthenticationRequestSettings::default(),
        ca_file: None,
    }
}

pub fn edit(of: Document, edit: Edit) -> Behaviour {
    Behaviour::Edit { of, edit }
}

pub fn claims(edit: Edit) -> Behaviour {
    Behaviour::IdToken(JwtEdit::claims(edit))
}

pub fn header(edit: Edit) -> Behaviour {
    Behaviour::IdToken(JwtEdit::header(edit))
}

pub fn fault(at: Endpoint, fault: Fault) -> Behaviour {
    Behaviour::Fault { at, fault }
}

pub fn head(at: Endpoint, edit: HeadEdit) -> Behaviour {
    Behaviour::Head { at, edit }
}
