//! One person who misbehaves, and others behind the same address: nobody is locked out by another's misbehaviour
//! (docs/decisions/rate-limit.md). All requests come from one address, to a provider that refuses everyone once too
//! many codes have failed, or that never ends its responses.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use reqwest::StatusCode;
use test_provider::{Behaviour, Endpoint, Fault, Profile, ProviderConfig, RateLimit, Rule, RunningProvider};
use tokio::task::JoinSet;
use vestibule::server::limits;

use crate::{
    load::{KEY, TURN, flood},
    support::{
        browser::Browser,
        people::{Person, Site},
        process::{Database, Program, Settings},
        scene::Scene,
        wait::eventually,
        wire::Wire,
    },
};

/// The address of all clients.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 4, 0, 1);
/// Connections of the one who sends junk.
const CONNECTIONS: usize = 32;
/// How long it goes on: `VESTIBULE_JUNK_SECONDS`, or else long enough to use up what one client may cause.
fn junk_time() -> Duration {
    let seconds = std::env::var("VESTIBULE_JUNK_SECONDS").ok().map(|text| text.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// How long a person may have to wait whose browser has signed in before.
const KNOWN: Duration = Duration::from_secs(2);
/// How long anyone may have to wait once the junk is over.
const NEW: Duration = Duration::from_secs(15);
/// How long the next one may have to wait after that.
const NEXT: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_at_full_speed_slows_down_only_new_browsers_behind_its_address_and_only_for_seconds() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::new(folder.path(), "junk");
    let origin = format!("http://{}", program.address);
    let config = ProviderConfig { rate_limit: Some(RateLimit::authelia()), ..ProviderConfig::new(Profile::Authelia) };
    let (site, provider) = Site::open_at(&origin, 3, config).await;
    let database = Database::Sqlite(folder.path().join("junk.db"));
    program.set(&Settings { public_url: &origin, database: &database, provider: &provider, keys: &[KEY.to_owned()] });
    program.start().await;
    let [mut known, mut new, mut after] = [0, 1, 2].map(|number| Person::behind(&site, number, ADDRESS));
    known.sign_in().await;

    let over = Arc::new(AtomicBool::new(false));
    let junk = send_junk(&program, &provider, &over);
    let (began, lasting) = (Instant::now(), junk_time());
    let mut waits = Vec::new();
    while began.elapsed() < lasting {
        known.sign_out().await;
        let since = Instant::now();
        known.sign_in().await;
        waits.push(since.elapsed());
    }
    let longest = waits.iter().max().unwrap();
    // A person who comes in the middle of it is told to wait, and the page continues by itself.
    let callback = new.begin().await;
    let page = new.look(&callback).await;
    page.explains("too_many_failures");
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    over.store(true, Ordering::Relaxed);
    let sent = junk.join_all().await.into_iter().sum::<usize>();
    let since = Instant::now();
    let took = tokio::join!(
        async {
            new.finish(callback).await;
            since.elapsed()
        },
        async {
            after.sign_in().await;
            since.elapsed()
        },
    );
    let (first, second) = (took.0.min(took.1), took.0.max(took.1));

    let refused = provider.redemptions().iter().filter(|code| code.redeemed == 0).count();
    println!(
        "fairness: {sent} junk callbacks in {lasting:?}, {refused} codes of them were sent; a known browser signed in {} \
         times meanwhile, in {longest:.1?} at most; two new ones {first:.1?} and {second:.1?} after it",
        waits.len(),
    );
    assert!(refused >= 10, "it was not the junk that was slowed down: {refused}");
    let busy = provider.requests_to(Endpoint::Token).iter().filter(|request| request.status == Some(429)).count();
    assert_eq!(busy, 0, "the provider refused everybody");
    for person in [&known, &new, &after] {
        assert!(person.clicks.is_empty(), "nobody has to click: {:?}", person.clicks);
    }
    assert!(*longest <= KNOWN, "{longest:?}");
    assert!(first <= NEW, "{first:?}");
    assert!(second <= NEW + NEXT, "{second:?}");
}

/// Junk as fast as it goes, until it is over; each connection returns how many callbacks it sent.
fn send_junk(program: &Program, provider: &RunningProvider, over: &Arc<AtomicBool>) -> JoinSet<usize> {
    let issuer: String = url::form_urlencoded::byte_serialize(provider.issuer().as_bytes()).collect();
    let mut tabs = JoinSet::new();
    for tab in 0..CONNECTIONS {
        let (address, issuer, over) = (program.address, issuer.clone(), Arc::clone(over));
        tabs.spawn(async move {
            let mut wire = Wire::open(ADDRESS, address).await;
            let mut sent = 0;
            while !over.load(Ordering::Relaxed) {
                flood::junk(&mut wire, tab + sent * CONNECTIONS, &issuer).await;
                sent += 1;
            }
            sent
        });
    }
    tabs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_trickles_for_ever_keeps_nobody_from_another() {
    const PEOPLE: usize = 200;
    let _turn = TURN.lock().await;
    let scene = Scene::beside_a_neighbour(|settings| settings.sign_in.patience = Duration::from_millis(500)).await;
    scene
        .provider
        .behave(Rule::standing(Behaviour::Fault { at: Endpoint::Token, fault: Fault::SlowBody { ms: 1_000 } }));
    let waiting = join_all((0..PEOPLE).map(async |_| {
        let person = scene.browser();
        let page = person.get(&callback(&person, &scene, "op").await).await;
        assert!(page.location().starts_with("/auth/oidc/callback?"), "{page:#?}");
        person
    }));
    let waiting = waiting.await;
    scene.provider.wait_for(Endpoint::Token, limits::REFUSALS as usize).await;

    let neighbour = scene.browser();
    let since = Instant::now();
    let callback = format!("{}&wait=1", callback(&neighbour, &scene, "neighbour").await);
    let landed = eventually("signed in", || async { neighbour.follow(&scene, &callback).await.err() }).await;
    let took = since.elapsed();
    assert_eq!(landed, "/reports");
    for provider in [Some(&scene.provider), scene.neighbour.as_ref()].into_iter().flatten() {
        let requests = provider.requests_to(Endpoint::Token);
        assert!(requests.iter().all(|request| request.status != Some(429)), "a provider refused everybody");
    }
    println!(
        "fairness: {} people wait for a provider that trickles; at another one, one signed in within {took:.1?}",
        waiting.len()
    );
    assert!(took <= KNOWN, "{took:?}");
}

/// Starts a sign-in at that provider and gets its response.
async fn callback(browser: &Browser, scene: &Scene, provider: &str) -> String {
    let start = browser.get(&scene.url(&format!("/auth/oidc/login?provider={provider}&return_to=/reports"))).await;
    browser.get(start.location()).await.location().to_owned()
}
