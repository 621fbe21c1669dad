//! What can go wrong, in one table: a row per code holds everything that is ever said or decided about it.
//!
//! `docs/errors.md` is generated from it (`UPDATE_DOCS=1 cargo test --features ssr --test error_docs`).

use tracing::Level;

use super::ids::Reference;
use crate::view::{
    Lang,
    texts::{self, Pages},
};

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The person in front of the page.
    You,
    /// Who runs this program.
    Operator,
    /// Who runs the provider.
    Provider,
    /// Nobody has to: it passes.
    Nobody,
}

impl Who {
    /// A sentence for the page.
    #[must_use]
    pub fn text(self, lang: Lang) -> &'static str {
        let texts = texts::pages(lang);
        match self {
            Self::You => texts.who_you,
            Self::Operator => texts.who_operator,
            Self::Provider => texts.who_provider,
            Self::Nobody => texts.who_nobody,
        }
    }
}

/// What the one click does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WayOn {
    /// Starts a new sign-in with the same provider and the same page to return to.
    BeginAgain,
    /// Asks for the same URL again; nothing is lost.
    TryAgain,
    /// Starts a sign-in in which the provider asks who one is (`prompt=login`).
    UseAnotherAccount,
    /// Goes to the login page.
    Login,
    /// Goes to the start page.
    Home,
}

impl WayOn {
    /// What the button says.
    #[must_use]
    pub fn label(self, lang: Lang) -> &'static str {
        let texts = texts::pages(lang);
        match self {
            Self::BeginAgain => texts.begin_again,
            Self::TryAgain => texts.try_again,
            Self::UseAnotherAccount => texts.other_account,
            Self::Login => texts.login,
            Self::Home => texts.home,
        }
    }
}

/// What kind of problem it is: the line above the title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A sign-in has failed.
    Failed,
    /// A sign-in has to wait.
    Pause,
    /// A request that has nothing to do with a sign-in, or not yet.
    Request,
}

impl Kind {
    fn kicker(self, texts: &'static Pages) -> Option<&'static str> {
        match self {
            Self::Failed => Some(texts.failed),
            Self::Pause => Some(texts.pause),
            Self::Request => None,
        }
    }
}

/// What the page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Texts {
    /// The problem in a few words.
    pub title: &'static str,
    /// What happened.
    pub happened: &'static str,
    /// What the person can do now.
    pub to_do: &'static str,
}

/// Everything about one code.
struct Row {
    code: &'static str,
    status: u16,
    level: Level,
    kind: Kind,
    who: Who,
    way_on: WayOn,
    when: &'static str,
    en: Texts,
    de: Texts,
    operator: &'static str,
}

macro_rules! table {
    ($(
        $variant:ident = $code:literal, $status:literal, $level:ident, $kind:ident, $who:ident, $way_on:ident;
        when $when:literal
        en $en_title:literal, $en_happened:literal, $en_to_do:literal
        de $de_title:literal, $de_happened:literal, $de_to_do:literal
        operator $operator:literal
    )*) => {
        /// Everything that can end or hold up a sign-in or a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Problem {
            $(#[doc = $when] $variant,)*
        }

        impl Problem {
            /// Every one of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            const fn row(self) -> &'static Row {
                match self {
                    $(Self::$variant => &Row {
                        code: $code,
                        status: $status,
                        level: Level::$level,
                        kind: Kind::$kind,
                        who: Who::$who,
                        way_on: WayOn::$way_on,
                        when: $when,
                        en: Texts { title: $en_title, happened: $en_happened, to_do: $en_to_do },
                        de: Texts { title: $de_title, happened: $de_happened, to_do: $de_to_do },
                        operator: $operator,
                    },)*
                }
            }
        }
    };
}

table! {
    StateMissing = "state_missing", 400, INFO, Failed, You, BeginAgain;
    when "The callback was opened without `state`."
    en "This address is incomplete",
        "The page you opened completes a sign-in, but part of its address is missing. That happens when it is opened from a bookmark, from the history or from a link that was cut short.",
        "Begin the sign-in again."
    de "Diese Adresse ist unvollständig",
        "Die aufgerufene Seite schließt eine Anmeldung ab, doch ein Teil ihrer Adresse fehlt. Das kommt vor, wenn sie aus einem Lesezeichen, dem Verlauf oder über einen gekürzten Link geöffnet wird.",
        "Beginnen Sie die Anmeldung neu."
    operator "A bookmark or a link scanner, as a rule. If every sign-in ends like this, the provider does not return `state` (RFC 6749, 4.1.2) or a proxy in front of Vestibule drops the query: open the callback with `?state=x` through the proxy, which must answer `state_invalid`."

    StateInvalid = "state_invalid", 400, INFO, Failed, You, BeginAgain;
    when "`state` does not open: forged, cut short, sealed by a key that was removed, or begun under other settings."
    en "This sign-in cannot be continued",
        "The address of this page does not belong to a sign-in that this site recognises. It may have been changed on the way, or the site has been set up anew in the meantime.",
        "Begin the sign-in again."
    de "Diese Anmeldung lässt sich nicht fortsetzen",
        "Die Adresse dieser Seite gehört zu keiner Anmeldung, die diese Website erkennt. Sie wurde vielleicht unterwegs verändert, oder die Website wurde inzwischen neu eingerichtet.",
        "Beginnen Sie die Anmeldung neu."
    operator "A few are harmless (old tabs, scanners). Many at once mean that `secret_keys` differ between processes or were exchanged without keeping the old key in the list for `attempt_ttl`, or that `public_url`, an issuer or a `client_id` was changed. The answer is the same for all of these on purpose."

    AttemptExpired = "attempt_expired", 400, INFO, Failed, You, BeginAgain;
    when "An authentic `state` that is older than `attempt_ttl`, or a code that had to wait here (for a provider or a store that was away) until it was dead: it is not sent after 55 s."
    en "This sign-in has expired",
        "Too much time passed before this sign-in could be completed. For your safety it is no longer accepted.",
        "Begin again. If the provider still knows you, that takes only a moment."
    de "Diese Anmeldung ist abgelaufen",
        "Es ist zu viel Zeit vergangen, bevor diese Anmeldung abgeschlossen werden konnte. Zu Ihrer Sicherheit wird sie nicht mehr angenommen.",
        "Beginnen Sie neu. Wenn der Anmeldedienst Sie noch erkennt, dauert das nur einen Augenblick."
    operator "The person stayed at the provider for longer than `sign_in.attempt_ttl` (10 minutes unless set), or opened an old tab. If it happens at once, the clocks of your machines differ: compare them. If enrolling a second factor takes people longer, raise `attempt_ttl`."

    OtherBrowser = "other_browser", 400, INFO, Failed, You, BeginAgain;
    when "An authentic `state`, but of another browser."
    en "This sign-in began in another browser",
        "A sign-in can only be completed in the browser in which it began. This one does not hold the key to it: it was begun in another browser, in a private window or on another device, or the cookies have been deleted since.",
        "Go back to that browser, or begin again in this one."
    de "Diese Anmeldung begann in einem anderen Browser",
        "Eine Anmeldung kann nur in dem Browser abgeschlossen werden, in dem sie begonnen wurde. Dieser hat den Schlüssel dazu nicht: Sie wurde in einem anderen Browser, einem privaten Fenster oder auf einem anderen Gerät begonnen, oder die Cookies wurden seither gelöscht.",
        "Wechseln Sie zu jenem Browser, oder beginnen Sie hier neu."
    operator "Links opened from mail or chat apps often change the browser. If everybody meets it, the flow cookie gets lost: the site is reached under another host than `public_url`, or a proxy removes `Set-Cookie` or `Cookie`."

    CookiesBlocked = "cookies_blocked", 400, INFO, Failed, You, BeginAgain;
    when "An authentic `state` of a browser that had no cookie at the start and has none now."
    en "Cookies are blocked",
        "This site uses one small cookie to recognise the browser in which a sign-in began. Your browser has not kept it, so the sign-in could not be completed here.",
        "Allow cookies for this site in the settings of your browser, then begin again. If you came from another browser, go back to that one."
    de "Cookies sind blockiert",
        "Diese Website erkennt an einem kleinen Cookie den Browser, in dem eine Anmeldung begonnen wurde. Ihr Browser hat es nicht behalten, deshalb konnte die Anmeldung hier nicht abgeschlossen werden.",
        "Erlauben Sie in den Einstellungen Ihres Browsers Cookies für diese Website, und beginnen Sie dann neu. Falls Sie aus einem anderen Browser kommen, kehren Sie zu jenem zurück."
    operator "Only the person can change it, as long as it meets single people. If everybody meets it: the site is served over plain http under an https `public_url` (browsers refuse `Secure` cookies there), or a proxy drops `Set-Cookie`."

    AlreadyUsed = "already_used", 409, INFO, Failed, You, BeginAgain;
    when "The attempt was answered with another code before; or it has been delivered and nobody is signed in any more; or somebody has signed out in this browser since it began."
    en "This sign-in has been used already",
        "Every sign-in works once. This one has been answered before, or somebody has signed out here since it began. That is usual after going back in the history or opening an old tab.",
        "Begin again. It takes only a moment."
    de "Diese Anmeldung wurde bereits verwendet",
        "Jede Anmeldung gilt einmal. Auf diese kam schon eine Antwort, oder hier hat sich seit ihrem Beginn jemand abgemeldet. Das ist üblich, wenn man im Verlauf zurückgeht oder einen alten Tab öffnet.",
        "Beginnen Sie neu. Das dauert nur einen Augenblick."
    operator "Back, a restored tab, or Back after sign-out. Nothing to mend. Two different codes for one attempt (see the log) mean that somebody tries to replay answers, or a provider that answers twice."

    Interrupted = "interrupted", 409, WARN, Failed, Nobody, BeginAgain;
    when "The process that worked on the attempt has died, or the database was lost after the code had been sent; a code that may have been sent is never sent again."
    en "This sign-in was interrupted",
        "While you were being signed in, this site was restarted or lost its database for a while. To be safe, a sign-in that was cut off is not repeated behind your back. No account was changed.",
        "Begin again. If the provider still knows you, that takes only a moment."
    de "Diese Anmeldung wurde unterbrochen",
        "Während Ihrer Anmeldung wurde diese Website neu gestartet oder hatte vorübergehend keine Datenbank. Sicherheitshalber wird eine abgebrochene Anmeldung nicht stillschweigend wiederholt. An Ihrem Konto wurde nichts verändert.",
        "Beginnen Sie neu. Wenn der Anmeldedienst Sie noch erkennt, dauert das nur einen Augenblick."
    operator "The store failed after the code had been sent (the log has `store_unavailable` under the same reference), or a process ended in the middle of an exchange: killed, out of memory, or not given its grace period (8 s) at shutdown. Look for restarts at the time of the attempt; a container must allow at least 10 s between SIGTERM and SIGKILL."

    AnswerMalformed = "answer_malformed", 400, INFO, Failed, You, BeginAgain;
    when "The answer has duplicates, forbidden characters or too many of them, or neither `code` nor `error`."
    en "The answer could not be read",
        "You came back from the sign-in provider with an answer that is not complete or has been changed on the way. It was not used.",
        "Begin the sign-in again."
    de "Die Antwort war nicht lesbar",
        "Sie sind vom Anmeldedienst mit einer Antwort zurückgekommen, die unvollständig ist oder unterwegs verändert wurde. Sie wurde nicht verwendet.",
        "Beginnen Sie die Anmeldung neu."
    operator "An edited or truncated address, as a rule. If it comes with every sign-in, compare what the provider sends with RFC 6749, 4.1.2: one `state`, one `code` or one `error`; and look for a proxy that rewrites or shortens queries."

    IssuerMismatch = "issuer_mismatch", 400, WARN, Failed, Operator, BeginAgain;
    when "`iss` of the answer names another issuer, or is missing although the provider promises it (RFC 9207)."
    en "The answer came from somewhere else",
        "The answer does not come from the sign-in provider you were sent to. It was not used, because that can be a sign of an attack.",
        "Begin again. If you see this page a second time, please tell the administrator of this site."
    de "Die Antwort kam von anderer Stelle",
        "Die Antwort stammt nicht von dem Anmeldedienst, zu dem Sie geschickt wurden. Sie wurde nicht verwendet, denn das kann ein Zeichen für einen Angriff sein.",
        "Beginnen Sie neu. Wenn Sie diese Seite erneut sehen, wenden Sie sich bitte an die Administration dieser Website."
    operator "Protection against mix-up attacks. If it comes with every sign-in: the provider is reached under several names and answers with another than the configured `issuer` (they are compared byte for byte), or a proxy drops `iss` although the metadata says `authorization_response_iss_parameter_supported`."

    AccessDenied = "access_denied", 403, INFO, Failed, You, BeginAgain;
    when "The provider says `access_denied`: the person cancelled, or a policy there refuses."
    en "Sign-in was not allowed",
        "The sign-in provider did not let you through. Either the sign-in was cancelled there, or its rules do not allow you to use this site.",
        "Begin again if you cancelled by mistake. Otherwise use another account, or ask the administrator for access."
    de "Die Anmeldung wurde nicht zugelassen",
        "Der Anmeldedienst hat Sie nicht durchgelassen. Entweder wurde die Anmeldung dort abgebrochen, oder seine Regeln erlauben Ihnen die Nutzung dieser Website nicht.",
        "Beginnen Sie neu, falls der Abbruch ein Versehen war. Verwenden Sie sonst ein anderes Konto, oder bitten Sie die Administration um Zugang."
    operator "Decided at the provider. If the person should have access, look at its access rules for this client (at Authelia: `authorization_policy` of the client)."

    ProviderInteraction = "provider_interaction", 400, INFO, Failed, You, UseAnotherAccount;
    when "The provider says `login_required`, `interaction_required`, `consent_required` or `account_selection_required`."
    en "The sign-in provider needs you",
        "The sign-in provider cannot go on without asking you something, such as your password, your consent or which account to use.",
        "Sign in once more; the provider will then ask you."
    de "Der Anmeldedienst braucht Ihre Mithilfe",
        "Der Anmeldedienst kann nicht fortfahren, ohne Sie etwas zu fragen, etwa nach Ihrem Passwort, Ihrer Zustimmung oder dem gewünschten Konto.",
        "Melden Sie sich noch einmal an; der Anmeldedienst fragt Sie dann."
    operator "Vestibule never asks for a sign-in without interaction (`prompt=none`), so a provider answers this only by a rule of its own. Look for the error and its description in the log."

    ProviderError = "provider_error", 424, WARN, Failed, Provider, BeginAgain;
    when "The authorization response says `server_error` or `temporarily_unavailable`."
    en "The sign-in provider has a problem",
        "The sign-in provider reported a fault of its own and could not sign you in.",
        "Wait a moment and begin again."
    de "Der Anmeldedienst hat eine Störung",
        "Der Anmeldedienst hat einen eigenen Fehler gemeldet und konnte Sie nicht anmelden.",
        "Warten Sie einen Augenblick, und beginnen Sie dann neu."
    operator "The provider said so itself (RFC 6749, 4.1.2.1); its description is in our log, the cause in its log."

    ProviderRefusedRequest = "provider_refused_request", 424, ERROR, Failed, Operator, BeginAgain;
    when "Any other error in the authorization response, such as `invalid_scope` or `unauthorized_client`."
    en "The sign-in provider refused the request",
        "The sign-in provider did not accept the way in which this site asks for sign-ins. The site and the provider have to be set up to match; you have done nothing wrong.",
        "Please tell the administrator of this site. You can begin again once it has been mended."
    de "Der Anmeldedienst hat die Anfrage abgelehnt",
        "Der Anmeldedienst akzeptiert nicht, wie diese Website um Anmeldungen bittet. Website und Anmeldedienst müssen aufeinander abgestimmt werden; an Ihnen liegt es nicht.",
        "Bitte wenden Sie sich an die Administration dieser Website. Danach können Sie neu beginnen."
    operator "The log has the provider's `error` and description. `invalid_scope`: the client may not ask for all of `scopes`. `unauthorized_client`, `unsupported_response_type`: allow the code flow (response type `code`, grant `authorization_code`). Also check that the redirect URI is registered exactly as `public_url` + `/auth/oidc/callback`."

    ProviderUnreachable = "provider_unreachable", 424, ERROR, Failed, Provider, BeginAgain;
    when "No connection to the provider: name resolution, refused, reset."
    en "The sign-in provider cannot be reached",
        "You are back from the sign-in provider, but this site could not reach it to check your sign-in.",
        "Wait a moment and begin again."
    de "Der Anmeldedienst ist nicht erreichbar",
        "Sie sind vom Anmeldedienst zurück, doch diese Website konnte ihn nicht erreichen, um Ihre Anmeldung zu prüfen.",
        "Warten Sie einen Augenblick, und beginnen Sie dann neu."
    operator "The server itself, not only the browser, must reach the provider. Try from the same machine or container: `curl -v ISSUER/.well-known/openid-configuration`. Usual causes: a name that resolves only outside, a firewall, an IPv6 address without a route, the provider being restarted."

    ProviderTls = "provider_tls", 424, ERROR, Failed, Operator, BeginAgain;
    when "The TLS connection to the provider failed."
    en "No secure connection to the sign-in provider",
        "This site could not make sure that it is talking to the real sign-in provider, so it did not send anything.",
        "Please tell the administrator of this site. You can begin again once it has been mended."
    de "Keine sichere Verbindung zum Anmeldedienst",
        "Diese Website konnte sich nicht vergewissern, dass sie mit dem echten Anmeldedienst spricht, und hat deshalb nichts gesendet.",
        "Bitte wenden Sie sich an die Administration dieser Website. Danach können Sie neu beginnen."
    operator "The provider's certificate has expired, is for another name, lacks its intermediate, or comes from an authority that this machine does not know: add that one with the provider's `ca_file`. `openssl s_client -connect HOST:443 -servername HOST` shows which."

    ProviderSlow = "provider_slow", 424, ERROR, Failed, Provider, BeginAgain;
    when "The provider gave no complete answer in time."
    en "The sign-in provider did not answer in time",
        "The sign-in provider took so long to answer that the sign-in had to be given up.",
        "Wait a moment and begin again."
    de "Der Anmeldedienst hat nicht rechtzeitig geantwortet",
        "Der Anmeldedienst hat so lange nicht geantwortet, dass die Anmeldung aufgegeben werden musste.",
        "Warten Sie einen Augenblick, und beginnen Sie dann neu."
    operator "The attempt's steps show which call took how long; all together have `sign_in.deadline` (60 s). Look at the load of the provider and of the user directory behind it; a firewall that drops packets silently looks the same."

    ProviderServerError = "provider_server_error", 424, ERROR, Failed, Provider, BeginAgain;
    when "The provider answered 5xx."
    en "The sign-in provider has a problem",
        "The sign-in provider let you through, but then answered with a fault of its own when this site asked it to confirm your sign-in.",
        "Wait a moment and begin again."
    de "Der Anmeldedienst hat eine Störung",
        "Der Anmeldedienst hat Sie durchgelassen, dann aber mit einem eigenen Fehler geantwortet, als diese Website um Bestätigung Ihrer Anmeldung bat.",
        "Warten Sie einen Augenblick, und beginnen Sie dann neu."
    operator "The step in the attempt's trace names the endpoint and the status. The cause is in the log of the provider, or of the proxy in front of it (502, 504)."

    ProviderBadAnswer = "provider_bad_answer", 424, ERROR, Failed, Provider, BeginAgain;
    when "An answer of the provider is HTML, malformed or too large."
    en "The sign-in provider gave an unexpected answer",
        "The sign-in provider answered with something that this site cannot read. That happens while it is being maintained.",
        "Wait a moment and begin again."
    de "Der Anmeldedienst hat unerwartet geantwortet",
        "Der Anmeldedienst hat etwas geantwortet, was diese Website nicht lesen kann. Das kommt vor, während er gewartet wird.",
        "Warten Sie einen Augenblick, und beginnen Sie dann neu."
    operator "Something other than the provider's JSON came back: a maintenance page, a portal, a firewall's block page, an answer over the size limit. The step in the trace names the endpoint; ask it with `curl -v` from the same machine."

    ProviderMetadata = "provider_metadata", 424, ERROR, Failed, Operator, BeginAgain;
    when "The discovery document is not acceptable."
    en "The sign-in provider is not set up correctly",
        "What the sign-in provider publishes about itself does not match what this site was told about it, so it is not trusted.",
        "Please tell the administrator of this site. You can begin again once it has been mended."
    de "Der Anmeldedienst ist nicht richtig eingerichtet",
        "Was der Anmeldedienst über sich veröffentlicht, passt nicht zu den Angaben dieser Website. Deshalb wird ihm nicht vertraut.",
        "Bitte wenden Sie sich an die Administration dieser Website. Danach können Sie neu beginnen."
    operator "`issuer` in `ISSUER/.well-known/openid-configuration` must equal the configured `issuer` byte for byte (mind a slash at the end), and every endpoint must be https. Behind a proxy, providers take their issuer from `X-Forwarded-Proto` and `X-Forwarded-Host`: a wrong one gives this."

    ProviderKeys = "provider_keys", 424, ERROR, Failed, Operator, BeginAgain;
    when "The provider's key set (JWKS) cannot be used."
    en "The sign-in provider's keys could not be used",
        "This site could not get the keys with which it checks the answers of the sign-in provider.",
        "Please tell the administrator of this site, and begin again a little later."
    de "Die Schlüssel des Anmeldedienstes waren nicht brauchbar",
        "Diese Website konnte die Schlüssel nicht erhalten, mit denen sie die Antworten des Anmeldedienstes prüft.",
        "Bitte wenden Sie sich an die Administration dieser Website, und beginnen Sie etwas später neu."
    operator "The document at `jwks_uri` is not a JWK set or has no key for signatures (RSA of 2048 bits or more, or an elliptic curve) that can be used. Open it from the same machine."

    ProviderBusy = "provider_busy", 424, WARN, Pause, Provider, BeginAgain;
    when "The provider answered 429 and the time it asks for cannot be waited out."
    en "The sign-in provider is busy",
        "The sign-in provider is getting more requests than it accepts and has asked this site to wait. Your password is not the cause.",
        "Please wait until the time below has passed, then begin again."
    de "Der Anmeldedienst ist überlastet",
        "Der Anmeldedienst erhält mehr Anfragen, als er annimmt, und hat diese Website gebeten zu warten. An Ihrem Passwort liegt es nicht.",
        "Bitte warten Sie, bis die unten genannte Zeit vergangen ist, und beginnen Sie dann neu."
    operator "The provider limits requests per address, and all sign-ins reach it from this server's one. Raise its limit for this server (at Authelia: `server.endpoints.rate_limits`), and look in the log for a visitor who causes many failures."

    ProviderDown = "provider_down", 424, WARN, Pause, Provider, TryAgain;
    when "Several token requests in a row have failed, so this one is not sent for now; nothing is consumed."
    en "The sign-in provider does not answer",
        "The sign-in provider has not answered several sign-ins in a row, so yours is being held back for a moment. Nothing is lost: what you brought back from there has not been used.",
        "You do not have to do anything: this page tries again by itself."
    de "Der Anmeldedienst antwortet nicht",
        "Der Anmeldedienst hat auf mehrere Anmeldungen nacheinander nicht geantwortet, deshalb wird Ihre einen Augenblick zurückgehalten. Es ist nichts verloren: Was Sie von dort mitgebracht haben, wurde nicht verwendet.",
        "Sie müssen nichts tun: Diese Seite versucht es von selbst erneut."
    operator "Five token requests in a row failed; the log has why under the provider's own codes (`provider_unreachable`, `provider_slow`, `provider_server_error` …), and `/readyz` on `admin_listen` says since when. One request is tried after 2 s, then after 4, 8 … 30 s; the first that is answered ends it."

    CodeRefused = "code_refused", 400, WARN, Failed, You, BeginAgain;
    when "The token endpoint says `invalid_grant`."
    en "The sign-in provider no longer accepts this sign-in",
        "The answer you brought back from the sign-in provider is valid for a short time and only once. The provider no longer accepts it.",
        "Begin again. If the provider still knows you, that takes only a moment."
    de "Der Anmeldedienst nimmt diese Anmeldung nicht mehr an",
        "Die Antwort, mit der Sie vom Anmeldedienst zurückgekommen sind, gilt nur kurz und nur einmal. Der Anmeldedienst nimmt sie nicht mehr an.",
        "Beginnen Sie neu. Wenn der Anmeldedienst Sie noch erkennt, dauert das nur einen Augenblick."
    operator "The code was too old, or the provider was restarted and forgot it. If it comes with every sign-in: the redirect URI registered at the provider differs from `public_url` + `/auth/oidc/callback`, the provider's instances do not share their storage, or its clock is off."

    ClientRefused = "client_refused", 424, ERROR, Failed, Operator, BeginAgain;
    when "The token endpoint says `invalid_client` or 401."
    en "The sign-in provider does not accept this site",
        "This site could not identify itself to the sign-in provider. You signed in correctly; the site has to be set up correctly.",
        "Please tell the administrator of this site. You can begin again once it has been mended."
    de "Der Anmeldedienst erkennt diese Website nicht an",
        "Diese Website konnte sich gegenüber dem Anmeldedienst nicht ausweisen. Sie haben sich richtig angemeldet; die Website muss richtig eingerichtet werden.",
        "Bitte wenden Sie sich an die Administration dieser Website. Danach können Sie neu beginnen."
    operator "`client_id`, `client_secret` or `client_auth` does not match the registration. Compare all three; `client_auth` is `client_secret_basic` unless set. Where the provider stores a hash (Authelia), the setting here needs the plain secret. Mind a line break too many in `client_secret_file`."

    TokenRefused = "token_refused", 424, ERROR, Failed, Operator, BeginAgain;
    when "Any other 4xx of the token endpoint."
    en "The sign-in provider refused to confirm the sign-in",
        "The sign-in provider let you through, but refused to confirm it to this site. You have done nothing wrong.",
        "Please tell the administrator of this site. You can begin again once it has been mended."
    de "Der Anmeldedienst hat die Bestätigung verweigert",
        "Der Anmeldedienst hat Sie durchgelassen, es dieser Website aber nicht bestätigt. An Ihnen liegt es nicht.",
        "Bitte wenden Sie sich an die Administration dieser Website. Danach können Sie neu beginnen."
    operator "The step `token` in the trace has the status and the provider's `error`. `unauthorized_client`, `unsupported_grant_type`: allow the grant `authorization_code`. A 403 or 404 without JSON comes from a proxy or firewall in front of the provider."

    TokenResponseInvalid = "token_response_invalid", 424, ERROR, Failed, Operator, BeginAgain;
    when "The token response lacks or spoils what it must have."
    en "The sign-in provider's confirmation is incomplete",
        "The sign-in provider confirmed your sign-in, but the confirmation lacks something that it must contain. It was not used.",
        "Please tell the administrator of this site. You can begin again once it has been mended."
    de "Die Bestätigung des Anmeldedienstes ist unvollständig",
        "Der Anmeldedienst hat Ihre Anmeldung bestätigt, doch der Bestätigung fehlt etwas Notwendiges. Sie wurde nicht verwendet.",
        "Bitte wenden Sie sich an die Administration dieser Website. Danach können Sie neu beginnen."
    operator "No `id_token` means that the scope `openid` is missing in `scopes` or not allowed for the client, or that the endpoint belongs to plain OAuth 2.0. `token_type` must be `Bearer`. The log names what is missing."

    IdTokenInvalid = "id_token_invalid", 424, ERROR, Failed, Operator, BeginAgain;
    when "The ID token fails a check."
    en "The sign-in could not be verified",
        "The sign-in provider's confirmation did not pass the checks of this site. It was not used, to protect your account.",
        "Begin again. If you see this page a second time, please tell the administrator of this site."
    de "Die Anmeldung war nicht überprüfbar",
        "Die Bestätigung des Anmeldedienstes hat die Prüfungen dieser Website nicht bestanden. Zum Schutz Ihres Kontos wurde sie nicht verwendet.",
        "Beginnen Sie neu. Wenn Sie diese Seite erneut sehen, wenden Sie sich bitte an die Administration dieser Website."
    operator "The log names the check. Time: the clocks of provider and server differ. Audience: another client's `client_id`. Issuer: see `provider_metadata`. Signature or algorithm: the registration asks for an algorithm that is not accepted (`none`, or HS256 with a short secret), or keys were exchanged without publishing the new ones first."

    UserinfoUnavailable = "userinfo_unavailable", 424, ERROR, Failed, Provider, BeginAgain;
    when "The userinfo endpoint gave no answer that can be used."
    en "Your profile could not be fetched",
        "You were signed in at the sign-in provider, but it did not hand over your profile (name, e-mail address and groups).",
        "Wait a moment and begin again."
    de "Ihr Profil konnte nicht abgerufen werden",
        "Sie wurden beim Anmeldedienst angemeldet, doch er hat Ihr Profil (Name, E-Mail-Adresse und Gruppen) nicht herausgegeben.",
        "Warten Sie einen Augenblick, und beginnen Sie dann neu."
    operator "The step `userinfo` in the trace has the status and how long it took. 401 or 403: the access token is not meant for userinfo, or a proxy drops the `Authorization` header. The claims of the ID token are never used in its place, since groups would silently be missing."

    UserinfoInvalid = "userinfo_invalid", 424, ERROR, Failed, Operator, BeginAgain;
    when "Userinfo fails a check; above all, it is about another subject."
    en "Your profile could not be verified",
        "The profile that the sign-in provider handed over does not match your sign-in. It was not used, to protect your account and those of others.",
        "Begin again. If you see this page a second time, please tell the administrator of this site."
    de "Ihr Profil war nicht überprüfbar",
        "Das Profil, das der Anmeldedienst herausgegeben hat, passt nicht zu Ihrer Anmeldung. Zum Schutz Ihres Kontos und anderer wurde es nicht verwendet.",
        "Beginnen Sie neu. Wenn Sie diese Seite erneut sehen, wenden Sie sich bitte an die Administration dieser Website."
    operator "`sub` at userinfo must equal `sub` of the ID token (OpenID Connect Core, 5.3.2). If it comes with every sign-in, the provider uses different subject types in the two, or a cache in front of it mixes up people: take that cache out at once."

    UserDisabled = "user_disabled", 403, INFO, Failed, Operator, UseAnotherAccount;
    when "The account is switched off here (`is_active: false`)."
    en "Your account is switched off",
        "Access denied. Please contact your administrator.",
        "You signed in correctly, but your account on this site has been switched off. If you have another one, you can use that."
    de "Ihr Konto ist gesperrt",
        "Zugriff verweigert. Bitte wenden Sie sich an Ihre Administration.",
        "Sie haben sich richtig angemeldet, doch Ihr Konto auf dieser Website ist gesperrt. Falls Sie ein weiteres haben, können Sie dieses verwenden."
    operator "`is_active` of the user's document is false. Set it to true to let the person in again."

    NotAllowed = "not_allowed", 403, INFO, Failed, Operator, UseAnotherAccount;
    when "The person is not in the allowed groups, e-mail addresses or domains."
    en "This account has no access here",
        "You signed in correctly, but this site admits only certain people, and this account is not among them.",
        "Use another account, or ask the administrator for access."
    de "Dieses Konto hat hier keinen Zugang",
        "Sie haben sich richtig angemeldet, doch diese Website lässt nur bestimmte Personen zu, und dieses Konto gehört nicht dazu.",
        "Verwenden Sie ein anderes Konto, oder bitten Sie die Administration um Zugang."
    operator "`users.allowed_groups`, `allowed_emails` and `allowed_domains` admit nobody with these claims. Addresses count only with `email_verified: true`. If groups are set, the provider must send `groups`: ask for the scope and allow it for the client."

    UserUnknown = "user_unknown", 403, INFO, Failed, Operator, UseAnotherAccount;
    when "`auto_create` is off and the person is new."
    en "There is no account for you here yet",
        "You signed in correctly, but this site does not know you yet, and accounts are not made by themselves here.",
        "Ask the administrator for an account, or use another one."
    de "Für Sie gibt es hier noch kein Konto",
        "Sie haben sich richtig angemeldet, doch diese Website kennt Sie noch nicht, und Konten werden hier nicht von selbst angelegt.",
        "Bitten Sie die Administration um ein Konto, oder verwenden Sie ein anderes."
    operator "`users.auto_create` is false. Create the user beforehand, or switch it on. Somebody who had an account is known by issuer and subject: both change when the provider is set up anew or under another name."

    StoreUnavailable = "store_unavailable", 503, ERROR, Pause, Operator, TryAgain;
    when "Our database cannot be reached, or is damaged; nobody is signed out by it."
    en "This site is not available for a moment",
        "This site cannot reach its own database just now. That has not signed you out. If you were just signing in, that goes on once the database is back.",
        "Wait a moment and try again. After about a minute a sign-in has to be begun again; the next page will say so."
    de "Diese Website ist kurz nicht verfügbar",
        "Diese Website erreicht gerade ihre eigene Datenbank nicht. Abgemeldet sind Sie dadurch nicht. Waren Sie gerade dabei, sich anzumelden, so geht das weiter, sobald die Datenbank wieder da ist.",
        "Warten Sie einen Augenblick, und versuchen Sie es erneut. Nach etwa einer Minute muss eine Anmeldung neu begonnen werden; die nächste Seite sagt es dann."
    operator "`/readyz` says more. MongoDB: reachable, a primary elected, credentials valid? SQLite: disk full, file or folder not writable, file on a network drive? It recovers without a restart. Only where the log says `malformed` or `not a database`, the file is damaged: stop, put a backup in its place, start."

    TooManyFailures = "too_many_failures", 429, WARN, Pause, Nobody, TryAgain;
    when "This visitor has caused too many failed sign-ins."
    en "Too many failed sign-ins",
        "There have been many failed sign-ins from your network in a short time. New ones are held back for a while, so that everybody else can still sign in.",
        "Please wait until the time below has passed, then begin again."
    de "Zu viele fehlgeschlagene Anmeldungen",
        "Aus Ihrem Netz sind in kurzer Zeit viele Anmeldungen fehlgeschlagen. Neue werden eine Weile zurückgehalten, damit sich alle anderen weiterhin anmelden können.",
        "Bitte warten Sie, bis die unten genannte Zeit vergangen ist, und beginnen Sie dann neu."
    operator "Failures are counted by client address. If unrelated people meet this, Vestibule sees only the proxy's address: name the proxy in `trusted_proxies`. Otherwise the log shows which codes one visitor has caused."

    Busy = "busy", 503, WARN, Pause, Nobody, TryAgain;
    when "Too many sign-ins are in flight; this one goes on by itself."
    en "Many people are signing in just now",
        "Your sign-in is waiting for its turn. Nothing is lost.",
        "You do not have to do anything: this page goes on by itself."
    de "Gerade melden sich viele Personen an",
        "Ihre Anmeldung wartet, bis sie an der Reihe ist. Es ist nichts verloren.",
        "Sie müssen nichts tun: Diese Seite geht von selbst weiter."
    operator "The cap on exchanges in flight is reached, as a rule because the provider is slow: look at how long the step `token` takes. After an outage a short queue is normal."

    SignInLoop = "sign_in_loop", 409, WARN, Failed, Operator, BeginAgain;
    when "The application sent the person back right after a sign-in: for the second time in a row for the same page; or twenty times whatever the page, forty where they needed no provider for it."
    en "Signing in goes round in circles",
        "Your browser has been sent here to sign in again and again within a short time, though you had just signed in. To keep this from going on for ever, it has been stopped here.",
        "Begin again. If you end up here once more, please tell the administrator of this site."
    de "Die Anmeldung dreht sich im Kreis",
        "Ihr Browser wurde in kurzer Zeit immer wieder hierher zur Anmeldung geschickt, obwohl Sie sich gerade angemeldet hatten. Damit das nicht endlos weitergeht, wurde es hier angehalten.",
        "Beginnen Sie neu. Wenn Sie wieder hier landen, wenden Sie sich bitte an die Administration dieser Website."
    operator "The application does not see the session: it is on another host than `public_url`, the proxy does not ask `/auth/verify` or drops the `Cookie` header, or the application sends people to sign in when it means 403. If the browser refuses the cookie, the site is not served over https."

    UnknownProvider = "unknown_provider", 404, INFO, Request, You, Login;
    when "`provider=` names none of ours."
    en "There is no such sign-in provider",
        "The link you followed names a sign-in provider that this site does not have, or no longer has.",
        "Choose a provider on the sign-in page."
    de "Diesen Anmeldedienst gibt es hier nicht",
        "Der Link, dem Sie gefolgt sind, nennt einen Anmeldedienst, den diese Website nicht oder nicht mehr hat.",
        "Wählen Sie auf der Anmeldeseite einen Anmeldedienst."
    operator "An old link or bookmark: `provider=` must be the `id` of a `[[provider]]`. If an id was renamed, mend the links in the application."

    SignInUnavailable = "sign_in_unavailable", 503, ERROR, Pause, Provider, TryAgain;
    when "At the start, the provider's metadata is not to be had yet."
    en "The sign-in provider cannot be reached yet",
        "This site is trying to reach the sign-in provider to send you there. So far it has had no answer.",
        "You do not have to do anything: this page tries again by itself."
    de "Der Anmeldedienst ist noch nicht erreichbar",
        "Diese Website versucht, den Anmeldedienst zu erreichen, um Sie dorthin zu leiten. Bisher hat er nicht geantwortet.",
        "Sie müssen nichts tun: Diese Seite versucht es von selbst erneut."
    operator "The discovery document has not been fetched since the start, or is too old to be used. The log has the cause as `provider_unreachable`, `provider_tls`, `provider_slow`, `provider_server_error`, `provider_bad_answer` or `provider_metadata`."

    NotFound = "not_found", 404, DEBUG, Request, You, Home;
    when "There is no such page."
    en "There is no such page",
        "Nothing is found at this address. It may be mistyped, or the page has moved.",
        "Check the address, or go to the start page."
    de "Diese Seite gibt es nicht",
        "Unter dieser Adresse ist nichts zu finden. Vielleicht enthält sie einen Tippfehler, oder die Seite ist umgezogen.",
        "Prüfen Sie die Adresse, oder gehen Sie zur Startseite."
    operator "Under `/auth/` everything belongs to Vestibule. If an address of your application ends here, the proxy sends too much to Vestibule: only `location /auth/` is needed."

    MethodNotAllowed = "method_not_allowed", 405, DEBUG, Request, You, Home;
    when "The page exists, but not for this method."
    en "This page cannot be opened directly",
        "The address exists, but it is not meant to be opened in this way. Signing out, for one, works only by its button.",
        "Go to the start page and go on from there."
    de "Diese Seite lässt sich nicht direkt öffnen",
        "Die Adresse gibt es, doch sie ist nicht dafür gedacht, so geöffnet zu werden. Das Abmelden etwa geht nur über seine Schaltfläche.",
        "Gehen Sie zur Startseite, und machen Sie dort weiter."
    operator "Usually an address that was typed or bookmarked. `/auth/logout` takes POST only, so that no link or image can sign anybody out."

    BadRequest = "bad_request", 400, DEBUG, Request, You, Home;
    when "The request is malformed."
    en "This request could not be read",
        "Your browser sent something that this site cannot read. A link may have been damaged on its way to you.",
        "Go to the start page and try from there."
    de "Diese Anfrage war nicht lesbar",
        "Ihr Browser hat etwas gesendet, was diese Website nicht lesen kann. Vielleicht wurde ein Link unterwegs beschädigt.",
        "Gehen Sie zur Startseite, und versuchen Sie es von dort aus."
    operator "Damaged links and scanners. If people meet it in the ordinary course, look for a proxy that changes paths, queries or bodies."

    TooLarge = "too_large", 413, DEBUG, Request, You, Home;
    when "The body or the query is too large."
    en "This request is too large",
        "Your browser sent more than this site accepts. The pages here need very little.",
        "Go to the start page and try from there."
    de "Diese Anfrage ist zu groß",
        "Ihr Browser hat mehr gesendet, als diese Website annimmt. Die Seiten hier brauchen nur sehr wenig.",
        "Gehen Sie zur Startseite, und versuchen Sie es von dort aus."
    operator "Nothing that Vestibule does comes near its limits. If a sign-in ends here, the provider's answer in the address is unusually long: see the log for its length."

    HeadersTooLarge = "headers_too_large", 431, INFO, Request, You, TryAgain;
    when "The request has too many or too large cookies."
    en "Too many cookies",
        "Your browser sends more cookies to this site than fit into a request. Most of them come from other applications under the same address.",
        "Delete the cookies of this site in the settings of your browser, then try again."
    de "Zu viele Cookies",
        "Ihr Browser sendet dieser Website mehr Cookies, als in eine Anfrage passen. Die meisten stammen von anderen Anwendungen unter derselben Adresse.",
        "Löschen Sie in den Einstellungen Ihres Browsers die Cookies dieser Website, und versuchen Sie es dann erneut."
    operator "Vestibule sets two cookies of less than 200 bytes in all. The others belong to applications on the same host or its parent domain: find the one that sets a new cookie with every visit. A proxy's own limit shows its own page first (nginx: 494, `large_client_header_buffers`)."

    CrossSite = "cross_site", 403, INFO, Request, You, Home;
    when "An unsafe method, sent from another site."
    en "This request came from another site",
        "Another website tried to do something here in your name. It was not carried out.",
        "If you meant to do this, go to the start page and do it from there."
    de "Diese Anfrage kam von einer anderen Website",
        "Eine andere Website hat versucht, hier etwas in Ihrem Namen zu tun. Es wurde nicht ausgeführt.",
        "Falls Sie das selbst wollten, gehen Sie zur Startseite, und tun Sie es von dort aus."
    operator "Protection against forged requests: `Sec-Fetch-Site` or `Origin` is not our own. If it meets people on our own pages, `public_url` is not the origin that browsers see, or a proxy changes `Origin`."

    Internal = "internal", 500, ERROR, Request, Operator, TryAgain;
    when "A fault in Vestibule itself; it must not happen."
    en "Something went wrong here",
        "This site has made a mistake of its own. It has been recorded; you have done nothing wrong.",
        "Try again. If it happens once more, please tell the administrator of this site."
    de "Hier ist etwas schiefgegangen",
        "Diese Website hat selbst einen Fehler gemacht. Er wurde festgehalten; an Ihnen liegt es nicht.",
        "Versuchen Sie es erneut. Wenn es wieder geschieht, wenden Sie sich bitte an die Administration dieser Website."
    operator "A panic. The log has it under the reference, with its place in the source. Please report it."
}

impl Problem {
    /// The stable code: never changed, never used for something else.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.row().code
    }

    /// Reads what [`code`](Self::code) says.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|error| error.code() == code)
    }

    /// The HTTP status of the page.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// How loudly the log says it.
    #[must_use]
    pub const fn level(self) -> Level {
        self.row().level
    }

    /// Who can mend it.
    #[must_use]
    pub const fn who(self) -> Who {
        self.row().who
    }

    /// What the one click does.
    #[must_use]
    pub const fn way_on(self) -> WayOn {
        self.row().way_on
    }

    /// Whether it passes by itself: the page looks again until it has.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(
            self,
            Self::StoreUnavailable | Self::SignInUnavailable | Self::ProviderDown | Self::Busy | Self::TooManyFailures
        )
    }

    /// What kind of problem it is.
    #[must_use]
    pub const fn kind(self) -> Kind {
        self.row().kind
    }

    /// The line above the title; `None` where no sign-in is concerned.
    #[must_use]
    pub fn kicker(self, lang: Lang) -> Option<&'static str> {
        self.kind().kicker(texts::pages(lang))
    }

    /// What the page says.
    #[must_use]
    pub const fn texts(self, lang: Lang) -> &'static Texts {
        match lang {
            Lang::En => &self.row().en,
            Lang::De => &self.row().de,
        }
    }

    /// For the documentation: when it happens.
    #[must_use]
    pub const fn when(self) -> &'static str {
        self.row().when
    }

    /// For the operator: likely causes, and how to mend them.
    #[must_use]
    pub const fn operator(self) -> &'static str {
        self.row().operator
    }
}

impl Problem {
    /// One event with the stable code, as loud as its row says, and what the other side said.
    pub(super) fn log_detail(self, message: &'static str, detail: Option<&str>) {
        let code = self.code();
        match self.level() {
            Level::ERROR => tracing::error!(code, detail, "{message}"),
            Level::WARN => tracing::warn!(code, detail, "{message}"),
            Level::INFO => tracing::info!(code, detail, "{message}"),
            _ => tracing::debug!(code, detail, "{message}"),
        }
    }

    /// The same, where no span names the reference.
    pub(super) fn log_with(self, reference: &Reference) {
        let _entered = tracing::info_span!("request", reference = %reference).entered();
        self.log_detail("problem", None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_lead_back() {
        for error in Problem::ALL {
            assert_eq!(Problem::from_code(error.code()), Some(*error));
            assert!(error.code().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        }
        assert_eq!(Problem::from_code("State_missing"), None);
        assert_eq!(Problem::from_code(""), None);
    }

    #[test]
    fn every_text_is_calm_and_whole() {
        for error in Problem::ALL {
            for texts in Lang::ALL.iter().map(|lang| error.texts(*lang)) {
                assert!(!texts.title.ends_with('.'), "{}", texts.title);
                for sentence in [texts.happened, texts.to_do, error.operator(), error.when()] {
                    assert!(sentence.ends_with('.'), "{sentence}");
                }
                let all = [texts.title, texts.happened, texts.to_do].concat();
                assert!(!all.contains('!') && !all.contains("  "), "{all}");
            }
            assert_ne!(error.texts(Lang::En), error.texts(Lang::De));
        }
    }

    /// `docs/decisions/statuses.md`: 5xx where this process could not do it, and nowhere else.
    #[test]
    fn statuses_say_whose_failure_it_is() {
        let ours = [Problem::StoreUnavailable, Problem::Busy, Problem::SignInUnavailable];
        for error in Problem::ALL {
            let expected = match error.status() {
                500 => *error == Problem::Internal,
                503 => ours.contains(error),
                // A provider's failure, by whichever of its ways.
                424 => !ours.contains(error) && error.who() != Who::You,
                status => (400..500).contains(&status) && error.who() != Who::Provider,
            };
            assert!(expected, "{error:?} is {}", error.status());
        }
    }
}
