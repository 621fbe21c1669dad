//! All wording of the pages, a table per language. `{}` stands for a name, a number or a time.
//!
//! A language is added by one more table here, a column in the error table (`server::sign_in::error`) and a line in
//! [`Lang`].

use super::Lang;

/// What the panel says; it travels to the browser, so it stands apart from the pages.
#[derive(Debug)]
pub struct Panel {
    /// The sign-in is going on.
    pub working: &'static str,
    /// … for more than ten seconds.
    pub long: &'static str,
    /// … for more than thirty seconds.
    pub very_long: &'static str,
    /// No answer from our own server.
    pub lost: &'static str,
    /// The browser says that it has no network.
    pub offline: &'static str,
    /// A new try makes sense after this time.
    pub retry_in: &'static str,
    /// A new try makes sense.
    pub retry_now: &'static str,
    /// One second; seconds; one minute; minutes.
    pub time: [&'static str; 4],
    /// Before the code.
    pub code: &'static str,
    /// Before the reference.
    pub reference: &'static str,
    /// Copies the reference.
    pub copy: &'static str,
    /// The reference was copied.
    pub copied: &'static str,
}

static PANEL_EN: Panel = Panel {
    working: "Still signing you in…",
    long: "This is taking longer than usual. You are still being signed in…",
    very_long: "The sign-in provider is slow to answer. You can leave this page open: it goes on by itself.",
    lost: "Connection lost. Trying again…",
    offline: "You are offline. Signing in goes on as soon as you are connected again.",
    retry_in: "You can try again in {}.",
    retry_now: "You can try again now.",
    time: ["1 second", "{} seconds", "1 minute", "{} minutes"],
    code: "Code",
    reference: "Reference",
    copy: "Copy",
    copied: "Copied",
};

static PANEL_DE: Panel = Panel {
    working: "Sie werden angemeldet …",
    long: "Das dauert länger als üblich. Sie werden weiterhin angemeldet …",
    very_long: "Der Anmeldedienst antwortet nur langsam. Sie können diese Seite offen lassen, es geht von selbst weiter.",
    lost: "Die Verbindung ist unterbrochen. Es wird erneut versucht …",
    offline: "Sie sind offline. Die Anmeldung geht weiter, sobald wieder eine Verbindung besteht.",
    retry_in: "Sie können es in {} erneut versuchen.",
    retry_now: "Sie können es jetzt erneut versuchen.",
    time: ["1 Sekunde", "{} Sekunden", "1 Minute", "{} Minuten"],
    code: "Code",
    reference: "Referenz",
    copy: "Kopieren",
    copied: "Kopiert",
};

/// What the panel says in `lang`.
#[must_use]
pub fn panel(lang: Lang) -> &'static Panel {
    match lang {
        Lang::En => &PANEL_EN,
        Lang::De => &PANEL_DE,
    }
}

/// What the pages say.
#[cfg(feature = "ssr")]
#[derive(Debug)]
pub struct Pages {
    /// Title of the login page.
    pub login: &'static str,
    /// Above one button.
    pub login_one: &'static str,
    /// Above several buttons.
    pub login_many: &'static str,
    /// No provider is set up.
    pub login_none: &'static str,
    /// The button of an only provider without a name of its own.
    pub sso: &'static str,
    /// The button of a named provider.
    pub continue_with: &'static str,
    /// What an unavailable provider without a name of its own is called, at the beginning of a sentence.
    pub provider: &'static str,
    /// This provider does not answer.
    pub unavailable: &'static str,
    /// The page looks again by itself.
    pub checks_again: &'static str,
    /// Somebody is signed in already.
    pub signed_in_as: &'static str,
    /// To the account page.
    pub to_account: &'static str,
    /// Title of the page for one who is signed in already.
    pub signed_in: &'static str,
    /// Title of the waiting page.
    pub waiting: &'static str,
    /// Which provider is waited for.
    pub waiting_for: &'static str,
    /// Asks again without script.
    pub go_on: &'static str,
    /// Explains [`go_on`](Self::go_on).
    pub go_on_why: &'static str,
    /// Title of the account page.
    pub account: &'static str,
    /// Before the user name.
    pub username: &'static str,
    /// Before the e-mail address.
    pub email: &'static str,
    /// Before the provider.
    pub signed_in_with: &'static str,
    /// Before the time of sign-in.
    pub signed_in_at: &'static str,
    /// The sign-out button.
    pub sign_out: &'static str,
    /// Title of the page after sign-out.
    pub signed_out: &'static str,
    /// After sign-out: this site has forgotten the person.
    pub signed_out_here: &'static str,
    /// … but this provider may not have.
    pub may_know: &'static str,
    /// … nor may the provider, whichever it was.
    pub may_know_someone: &'static str,
    /// Signs in again.
    pub sign_in_again: &'static str,
    /// Begins a sign-in anew.
    pub begin_again: &'static str,
    /// Asks for the same page again.
    pub try_again: &'static str,
    /// Signs in as somebody else.
    pub other_account: &'static str,
    /// To the start page.
    pub home: &'static str,
    /// Above the title of a sign-in that has failed.
    pub failed: &'static str,
    /// Above the title of a sign-in that only has to wait.
    pub pause: &'static str,
    /// The person can mend it.
    pub who_you: &'static str,
    /// The administrator has to mend it.
    pub who_operator: &'static str,
    /// The provider has to mend it.
    pub who_provider: &'static str,
    /// It passes by itself.
    pub who_nobody: &'static str,
}

#[cfg(feature = "ssr")]
static PAGES_EN: Pages = Pages {
    login: "Sign in",
    login_one: "You sign in at your sign-in provider and come straight back.",
    login_many: "Choose where you have an account. You sign in there and come straight back.",
    login_none: "No sign-in provider is set up on this site yet. Its administrator can add one.",
    sso: "Login with SSO",
    continue_with: "Continue with {}",
    provider: "The sign-in provider",
    unavailable: "{} cannot be reached at the moment. You may try all the same.",
    checks_again: "This page looks again every few seconds.",
    signed_in_as: "You are signed in as {}.",
    to_account: "Go to your account",
    signed_in: "You are signed in",
    waiting: "Completing Sign In",
    waiting_for: "You are back from {}. Its answer is being checked; this takes a moment.",
    go_on: "Continue",
    go_on_why: "The page goes on by itself. If it does not, use this link:",
    account: "Your account",
    username: "User name",
    email: "E-mail",
    signed_in_with: "Signed in with",
    signed_in_at: "Signed in at",
    sign_out: "Sign out",
    signed_out: "You are signed out",
    signed_out_here: "This site no longer knows who you are.",
    may_know: "{} may still remember you, so that signing in again needs no password. If others use this computer, sign out there too.",
    may_know_someone: "Your sign-in provider may still remember you, so that signing in again needs no password. If others use this computer, sign out there too.",
    sign_in_again: "Sign in again",
    begin_again: "Begin again",
    try_again: "Try again",
    other_account: "Use another account",
    home: "Go to the start page",
    failed: "Authentication Failed",
    pause: "One moment",
    who_you: "You can put this right yourself, with the button on this page.",
    who_operator: "The administrator of this site can put this right. Please tell them the code and the reference.",
    who_provider: "The sign-in provider has to recover first. Nothing is wrong with your account.",
    who_nobody: "Nobody has to do anything: this passes by itself.",
};

#[cfg(feature = "ssr")]
static PAGES_DE: Pages = Pages {
    login: "Anmelden",
    login_one: "Sie melden sich bei Ihrem Anmeldedienst an und kommen gleich hierher zurück.",
    login_many: "Wählen Sie, wo Sie ein Konto haben. Sie melden sich dort an und kommen gleich hierher zurück.",
    login_none: "Auf dieser Website ist noch kein Anmeldedienst eingerichtet. Die Administration kann einen hinzufügen.",
    sso: "Mit SSO anmelden",
    continue_with: "Weiter mit {}",
    provider: "Der Anmeldedienst",
    unavailable: "{} ist zurzeit nicht erreichbar. Sie können es trotzdem versuchen.",
    checks_again: "Diese Seite sieht alle paar Sekunden erneut nach.",
    signed_in_as: "Sie sind angemeldet als {}.",
    to_account: "Zu Ihrem Konto",
    signed_in: "Sie sind angemeldet",
    waiting: "Anmeldung wird abgeschlossen",
    waiting_for: "Sie sind von {} zurück. Die Antwort wird gerade geprüft, das dauert einen Augenblick.",
    go_on: "Weiter",
    go_on_why: "Die Seite geht von selbst weiter. Falls nicht, nutzen Sie diesen Link:",
    account: "Ihr Konto",
    username: "Benutzername",
    email: "E-Mail",
    signed_in_with: "Angemeldet über",
    signed_in_at: "Angemeldet am",
    sign_out: "Abmelden",
    signed_out: "Sie sind abgemeldet",
    signed_out_here: "Diese Website weiß nicht mehr, wer Sie sind.",
    may_know: "{} erkennt Sie vielleicht noch, sodass eine neue Anmeldung kein Passwort braucht. Wenn andere diesen Computer nutzen, melden Sie sich bitte auch dort ab.",
    may_know_someone: "Ihr Anmeldedienst erkennt Sie vielleicht noch, sodass eine neue Anmeldung kein Passwort braucht. Wenn andere diesen Computer nutzen, melden Sie sich bitte auch dort ab.",
    sign_in_again: "Erneut anmelden",
    begin_again: "Neu beginnen",
    try_again: "Erneut versuchen",
    other_account: "Anderes Konto verwenden",
    home: "Zur Startseite",
    failed: "Anmeldung fehlgeschlagen",
    pause: "Einen Augenblick",
    who_you: "Sie können das selbst beheben, mit der Schaltfläche auf dieser Seite.",
    who_operator: "Die Administration dieser Website kann das beheben. Bitte nennen Sie ihr den Code und die Referenz.",
    who_provider: "Der Anmeldedienst muss sich zuerst erholen. Mit Ihrem Konto ist alles in Ordnung.",
    who_nobody: "Niemand muss etwas tun: Das gibt sich von selbst.",
};

/// What the pages say in `lang`.
#[cfg(feature = "ssr")]
#[must_use]
pub fn pages(lang: Lang) -> &'static Pages {
    match lang {
        Lang::En => &PAGES_EN,
        Lang::De => &PAGES_DE,
    }
}

/// `seconds` in words: seconds up to a minute and a half, then whole minutes, rounded up.
#[must_use]
pub fn time(lang: Lang, seconds: u32) -> String {
    let [second, seconds_, minute, minutes] = panel(lang).time;
    let (count, one, many) =
        if seconds <= 90 { (seconds, second, seconds_) } else { (seconds.div_ceil(60), minute, minutes) };
    if count == 1 { one.to_owned() } else { fill(many, &count.to_string()) }
}

/// `template` with `value` in the place of `{}`.
#[must_use]
pub fn fill(template: &str, value: &str) -> String {
    let (before, after) = around(template);
    [before, value, after].concat()
}

/// What stands before and after the `{}` of `template`.
#[must_use]
pub fn around(template: &str) -> (&str, &str) {
    template.split_once("{}").unwrap_or((template, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        for (seconds, said) in
            [(0, "0 seconds"), (1, "1 second"), (90, "90 seconds"), (91, "2 minutes"), (3600, "60 minutes")]
        {
            assert_eq!(time(Lang::En, seconds), said);
        }
        assert_eq!(time(Lang::De, 1), "1 Sekunde");
        assert_eq!(time(Lang::De, 121), "3 Minuten");
    }
}
