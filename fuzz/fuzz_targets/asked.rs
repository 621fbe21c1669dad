//! Any request to the gate: it is answered without a panic, and whoever gets in may have what the application serves,
//! however that reads the path (`src/server/gate/tests/readers.rs`). A seed is such a request, as text.
#![no_main]

use std::sync::LazyLock;

use http::{HeaderName, HeaderValue, Method, Request, Uri, request::Parts};
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;
use vestibule::server::{
    application::{
        Access, Application, Applications, HostPattern, IdentityRules, Members, OriginPattern, Rule, RuleAccess,
        RulePath,
    },
    gate::{
        asked::{Asked, forwarded, itself},
        rules::{By, Person, decide},
    },
    ids::ProviderId,
    store::Role,
};

#[path = "../../src/server/gate/tests/readers.rs"]
mod readers;

struct World {
    applications: Applications,
    trusted: Vec<IpNet>,
    provider: ProviderId,
    groups: [Vec<String>; 3],
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let open = || RuleAccess::All(Access::Anyone);
    let groups = |name: &str| RuleAccess::Members(Members { groups: vec![name.to_owned()], ..Members::default() });
    World {
        applications: Applications::new(vec![
            application(
                "a.test",
                Access::SignedIn,
                vec![rule("/admin/", &[], groups("admins")), rule("/public/", &[], open()), rule("=/", &[], open())],
            ),
            application(
                "b.test",
                Access::Anyone,
                vec![
                    rule("/api/", &["GET"], groups("readers")),
                    rule("/api/", &[], groups("admins")),
                    rule("/none/", &[], RuleAccess::All(Access::Nobody)),
                ],
            ),
            application(
                "*.c.test",
                Access::Nobody,
                vec![
                    rule("/x/y/", &[], groups("admins")),
                    rule("/x/", &["GET", "HEAD"], open()),
                    rule("/x/", &[], RuleAccess::All(Access::SignedIn)),
                    rule("/", &["POST"], groups("readers")),
                ],
            ),
        ]),
        trusted: vec!["127.0.0.0/8".parse().expect("a network")],
        provider: ProviderId::new("op"),
        groups: [vec![], vec!["readers".into()], vec!["admins".into()]],
    }
});

fn application(host: &str, access: Access, rules: Vec<Rule>) -> Application {
    let host = match host.strip_prefix("*.") {
        Some(name) => HostPattern::Below(name.into()),
        None => HostPattern::One(host.into()),
    };
    Application {
        origins: vec![OriginPattern { secure: true, host, port: None }],
        access,
        rules,
        identity: IdentityRules::default(),
        preflight: true,
        prefix: "/auth".into(),
        token: false,
    }
}

fn rule(path: &str, methods: &[&str], access: RuleAccess) -> Rule {
    let path = match path.strip_prefix('=') {
        Some(path) => RulePath::Exactly(path.into()),
        None => RulePath::Below(path.into()),
    };
    let methods = methods.iter().map(|method| (*method).to_owned()).collect();
    Rule { path, methods, access, addresses: Vec::new() }
}

/// A line with the method and the path, and one for each header. What HTTP itself would refuse is left out, so that the other
/// half, which is in headers, is tried all the same.
fn request(bytes: &[u8]) -> Option<Parts> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut first = lines.next()?.splitn(2, |byte| *byte == b' ');
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(first.next()?).unwrap_or_default();
    *request.uri_mut() = Uri::try_from(first.next()?).unwrap_or_default();
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(at);
        let value = HeaderValue::from_bytes(value.strip_prefix(b": ").unwrap_or_default()).ok()?;
        request.headers_mut().append(HeaderName::from_bytes(name).ok()?, value);
    }
    Some(request.into_parts().0)
}

fn check(asked: &Asked<'_>, request: &Parts) {
    let people = WORLD.groups.iter().map(|groups| Person {
        username: "ada",
        role: Role::User,
        email: None,
        groups,
        provider: &WORLD.provider,
    });
    let people: Vec<_> = people.collect();
    let values = ["x-http-method-override", "x-http-method", "x-method-override"];
    let overrides = values.iter().filter_map(|name| request.headers.get(*name)?.to_str().ok());
    let methods: Vec<_> = overrides.chain([asked.method]).collect();
    readers::assert_that_nobody_is_fooled(asked, &methods, &people);
}

fuzz_target!(|bytes: &[u8]| {
    let Some(request) = request(bytes) else { return };
    let peer = [127, 0, 0, 1].into();
    let World { applications, trusted, .. } = &*WORLD;
    if let Ok(asked) = forwarded(peer, &request.headers, trusted, applications) {
        check(&asked, &request);
    }
    if let Ok(asked) = itself(peer, &request, "/auth/ext-authz", trusted, applications) {
        check(&asked, &request);
    }
    assert!(forwarded([203, 0, 113, 9].into(), &request.headers, trusted, applications).is_err());
});
