//! `vestibule rules check`: who gets in at a URL, by the settings alone. It is decided by what decides for the proxies.

use std::{fmt::Write as _, net::IpAddr, path::PathBuf};

use super::{
    accounts,
    application::{Access, Applications},
    email_address::EmailAddress,
    gate::{
        asked::{Asked, Denied, Said},
        rules::{self, By, Decided, Person},
    },
    ids::ProviderId,
    provider::Claims,
    settings::Settings,
    store::Role,
};

/// What is asked. Without anything about a person it is what somebody who is not signed in gets.
#[derive(Debug, clap::Args)]
pub struct Question {
    /// What is asked for, as `https://wiki.example.com/admin/`
    url: String,
    /// The method of the request.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// Somebody signed in with this username.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Somebody in this group, or in several.
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// Somebody with this role [default: as the groups and [users] say].
    #[arg(long, value_name = "ROLE", value_parser = ["user", "admin"])]
    role: Option<String>,
    /// Somebody with this verified email address.
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,
    /// Somebody who signed in at the provider with this id.
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// From this address.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<IpAddr>,
    /// The settings file [default: vestibule.toml, if it exists].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The answer.
#[derive(Debug)]
pub struct Answer {
    /// Whether that request passes.
    pub gets_in: bool,
    /// Why, in a few lines.
    pub why: String,
}

/// Somebody signed in.
struct Somebody {
    username: String,
    role: Role,
    email: Option<EmailAddress>,
    groups: Vec<String>,
    provider: ProviderId,
}

impl Somebody {
    fn as_person(&self) -> Person<'_> {
        Person {
            username: &self.username,
            role: self.role,
            email: self.email.as_ref(),
            groups: &self.groups,
            provider: &self.provider,
        }
    }
}

impl Question {
    /// Answers by these settings.
    ///
    /// # Errors
    /// What is wrong with the question.
    pub fn answer(&self, settings: Settings) -> Result<Answer, String> {
        let body = self.somebody(&settings)?;
        let applications = Applications::new(settings.applications);
        // Browsers send no fragment.
        let url = self.url.split('#').next().unwrap_or_default();
        let asked = match Asked::at(url, &self.method, self.address, &applications) {
            Ok(asked) => asked,
            Err(Denied::UnknownApplication(host)) => {
                return Ok(Answer {
                    gets_in: false,
                    why: format!("does not get in: no [[app]] has the host {host}\n"),
                });
            }
            Err(denied) => return Err(self.mistake(&denied)),
        };
        let decision = rules::decide(&asked);
        let (gets_in, said, by) = match (decision.access, &body) {
            (Access::Anyone, _) => (true, "gets in: everybody does, without an identity", decision.by),
            (Access::Nobody, _) => (false, self.nobody(&decision.by), decision.by),
            (Access::SignedIn, None) => (false, "does not get in: has to sign in first", decision.by),
            (Access::SignedIn, Some(body)) => match decision.admits(|| body.as_person()) {
                Ok(()) => (true, "gets in", decision.by),
                Err(by) => (false, "does not get in: is none of those whom the rule lets in", by),
            },
        };
        let mut why = format!("{said}\ndecided by: {}\n", by.named(&asked.site));
        if let By::Unreadable(unreadable) = by.by {
            let _ = writeln!(why, "because: {unreadable}");
        }
        let _ = writeln!(why, "as the path: {}", by.reading);
        let others: Vec<_> = asked.path.iter().flat_map(|path| path.iter()).filter(|one| *one != by.reading).collect();
        if !others.is_empty() {
            let _ = writeln!(why, "which can also be read as: {}", others.join(" "));
        }
        Ok(Answer { gets_in, why })
    }

    const fn nobody(&self, by: &Decided<'_>) -> &'static str {
        match (by.by, self.address) {
            (By::Addresses(_), None) => "does not get in: only some addresses do, and there is no --address",
            (By::Addresses(_), Some(_)) => "does not get in: not from that address",
            (By::Unreadable(_), _) => "does not get in: nobody can say what the path means",
            _ => "does not get in: nobody does",
        }
    }

    fn mistake(&self, denied: &Denied) -> String {
        let url = |what| format!("{:?} {what}; write the URL as https://wiki.example.com/admin/", self.url);
        match denied {
            Denied::Malformed(Said::OwnMethod) => {
                format!("--method: is {:?}, which is no method in capitals; write it as GET", self.method)
            }
            Denied::Malformed(Said::Url) => url("does not begin with https://"),
            Denied::Malformed(Said::OwnHost) => url("has no host"),
            _ => url("has no path, or one with white space or a control character"),
        }
    }

    /// Who is asked about, if it is somebody signed in.
    fn somebody(&self, settings: &Settings) -> Result<Option<Somebody>, String> {
        let says_nothing =
            self.user.is_none() && self.role.is_none() && self.email.is_none() && self.provider.is_none();
        if says_nothing && self.group.is_empty() {
            return Ok(None);
        }
        let email = self.email.as_deref().map(|text| {
            EmailAddress::parse(text)
                .ok_or_else(|| format!("--email: is {text:?}, which is not one address; write it as ada@example.com"))
        });
        let groups = Claims { groups: Some(self.group.clone()), ..Claims::default() };
        let role = match self.role.as_deref() {
            Some("admin") => Role::Admin,
            Some(_) => Role::User,
            None => accounts::role_by_group(&settings.users, &groups).unwrap_or(settings.users.default_role),
        };
        Ok(Some(Somebody {
            username: self.user.clone().unwrap_or_default(),
            role,
            email: email.transpose()?,
            groups: self.group.clone(),
            provider: self.provider(settings)?,
        }))
    }

    /// Where the person signed in. It makes a difference for what a provider says about people.
    fn provider(&self, settings: &Settings) -> Result<ProviderId, String> {
        let ids: Vec<_> = settings.providers.iter().map(|one| one.id.as_str()).collect();
        let known = match (self.provider.as_deref(), &ids[..]) {
            (Some(id), _) => ids.iter().find(|known| **known == id).copied(),
            (None, [_, _, ..]) if self.email.is_some() || !self.group.is_empty() => None,
            (None, ids) => ids.first().copied(),
        };
        known.map(ProviderId::new).ok_or_else(|| match &self.provider {
            Some(id) => format!("--provider: is {id:?}, which is no provider's id; write one of: {}", ids.join(", ")),
            None => format!("--provider: is missing, and it matters who says so; write one of: {}", ids.join(", ")),
        })
    }
}
