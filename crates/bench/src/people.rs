//! People who are signed in, without a provider: by the store's own methods, and with cookies as the gate seals them.

use std::{fs, path::PathBuf, time::Duration};

use futures_util::future::try_join_all;
use tokio::runtime;
use vestibule::server::{
    application::{Applications, Site},
    clock::System,
    gate::handover::HostSession,
    ids::{Issuer, SessionHash, Subject, UserId},
    seal::Keyring,
    settings::{ProviderSettings, SecretKeys},
    store::{self, Created, NewUser, Person, Profile, Role, SessionFacts, SessionRecord, Store},
};

use crate::{Outcome, settings};

/// Sessions that are made at once.
const AT_ONCE: u32 = 32;
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// Who is to be signed in.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The settings file, with `secret_keys` in it. The cookies are for its first application.
    config: PathBuf,
    /// Where to write the cookies.
    cookies: PathBuf,
    /// How many people there are.
    #[arg(long, default_value_t = 1)]
    people: u32,
    /// How many sessions each of them has. Each session has a cookie; the first of each person come first.
    #[arg(long, default_value_t = 1)]
    sessions_each: u32,
}

/// Makes people and sessions, and writes their cookies.
pub(crate) fn sign_in(arguments: Arguments) -> Outcome<()> {
    let settings = settings(&arguments.config)?;
    let SecretKeys::Given(secrets) = &settings.secret_keys else {
        return Err("the settings have no secret_keys".into());
    };
    let (current, older) = secrets.split_first().ok_or("the settings have no secret_keys")?;
    let keys = Keyring::new(current, older, &settings.public_url);
    let provider = settings.providers.first().ok_or("the settings have no provider")?;
    let host = settings.applications.first().and_then(|application| application.origins.first());
    let host = host.ok_or("the settings have no application")?.to_string();
    let host = host.rsplit('/').next().unwrap_or_default().to_owned();
    let site = Applications::new(settings.applications).at(&host).ok_or("the application has no host")?;
    let of_people = runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let store = store::open(&settings.database).await.map_err(|error| error.to_string())?;
        let made = Made { store: &*store, provider, keys: &keys, site: &site, each: arguments.sessions_each };
        let mut of_people = Vec::new();
        for first in (0..arguments.people).step_by(AT_ONCE as usize) {
            let some = first..arguments.people.min(first + AT_ONCE);
            of_people.extend(try_join_all(some.map(|number| made.person(number))).await?);
        }
        Outcome::Ok(of_people)
    })?;
    let mut cookies = String::new();
    for session in 0..arguments.sessions_each as usize {
        for cookie in of_people.iter().filter_map(|cookies: &Vec<String>| cookies.get(session)) {
            cookies.push_str(cookie);
            cookies.push('\n');
        }
    }
    Ok(fs::write(arguments.cookies, cookies)?)
}

struct Made<'a> {
    store: &'a dyn Store,
    provider: &'a ProviderSettings,
    keys: &'a Keyring,
    site: &'a Site,
    each: u32,
}

impl Made<'_> {
    /// A person of that number, and the cookies of their sessions.
    async fn person(&self, number: u32) -> Outcome<Vec<String>> {
        let user = self.user(number).await?;
        let mut cookies = Vec::new();
        for session in 0..self.each {
            let id = SessionHash::of(format!("session {session} of person {number}").as_bytes());
            if !self.store.create_session(&self.session(id, &user, number)).await.map_err(|error| error.to_string())? {
                return Err("the sessions are there already".into());
            }
            cookies.push(HostSession(id).seal(self.site, self.keys, &System::real()));
        }
        Ok(cookies)
    }

    async fn user(&self, number: u32) -> Outcome<UserId> {
        let username = format!("person{number}");
        let person = Person {
            issuer: self.provider.issuer.clone(),
            subject: subject(number)?,
            discovery_url: format!("{}/.well-known/openid-configuration", self.provider.issuer.as_str()),
            profile: Profile {
                email: Some(format!("{username}@example.com")),
                email_verified: Some(true),
                full_name: Some(format!("Person Number {number}")),
            },
            role: None,
            for_claudelens: false,
            now: System::real().now(),
        };
        let new = NewUser { person, usernames: vec![username], role: Role::User };
        match self.store.create_user(&new).await.map_err(|error| error.to_string())? {
            Created::New(user) => Ok(user.id),
            Created::Exists | Created::UsernameTaken => Err("the people are there already".into()),
        }
    }

    fn session(&self, id: SessionHash, user: &UserId, number: u32) -> SessionRecord {
        let now = System::real().now();
        let groups = ["staff", "editors", "wiki-users", "vpn", "on-call"].map(str::to_owned).to_vec();
        SessionRecord {
            id,
            browser: None,
            user: user.clone(),
            issuer: Issuer::new(self.provider.issuer.as_str()),
            provider: self.provider.id.clone(),
            begun: now,
            created: now,
            confirmed: now,
            rechecked: None,
            last_seen: now,
            expires: now + LIFE,
            delivered_by: None,
            facts: SessionFacts { subject: subject(number).ok(), groups, ..SessionFacts::default() },
            id_token: None,
        }
    }
}

fn subject(number: u32) -> Outcome<Subject> {
    Ok(Subject::new(&format!("00000000-0000-4000-8000-{number:012}")).ok_or("no subject")?)
}
