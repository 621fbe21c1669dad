//! What is particular to MongoDB.

use std::time::{Duration, Instant};

use bson::{Bson, Document, doc, oid::ObjectId};
use mongodb::{
    Client, IndexModel,
    options::{Collation, CollationStrength, IndexOptions},
};
use secrecy::SecretString;
use vestibule::server::{
    settings::Database,
    store::{self, NewUser, Role, StoreError, User},
};

use super::fixtures::{
    ISSUER, claim_of, claimed, created, eventually, new_user, person, session_of, signed_in, steps, verified,
};
use crate::support::{
    bench::{Bench, Raw},
    mongo,
};

async fn index_names(database: &mongodb::Database, collection: &str) -> Vec<String> {
    database.collection::<Document>(collection).list_index_names().await.unwrap_or_default()
}

async fn has_all_indexes(database: &mongodb::Database) -> bool {
    let (users, attempts, sessions, logouts, browsers) = (
        index_names(database, "users").await,
        index_names(database, "login_attempts").await,
        index_names(database, "login_sessions").await,
        index_names(database, "seen_logout_tokens").await,
        index_names(database, "signed_out_browsers").await,
    );
    users.len() == 5 && attempts.len() == 4 && sessions.len() == 5 && logouts.len() == 4 && browsers.len() == 2
}

/// How long after its `expires_at` the server removes a document.
async fn expiry(database: &mongodb::Database, collection: &str) -> Option<Duration> {
    let mut indexes = database.collection::<Document>(collection).list_indexes().await.unwrap();
    while indexes.advance().await.unwrap() {
        let index = indexes.deserialize_current().unwrap();
        if index.keys == doc! { "expires_at": 1 } {
            return index.options.and_then(|options| options.expire_after);
        }
    }
    None
}

#[tokio::test]
async fn makes_its_indexes_and_leaves_sessions_alone() {
    let bench = Bench::mongo().await;
    let database = bench.raw.database();
    let conversations = database.collection::<Document>("sessions");
    conversations
        .insert_one(doc! { "_id": 1, "expires_at": bson::DateTime::from_millis(0), "issuer": 1 })
        .await
        .unwrap();
    eventually("indexes", async || has_all_indexes(database).await.then_some(())).await;
    assert_eq!(expiry(database, "login_attempts").await, Some(Duration::ZERO));
    assert_eq!(expiry(database, "seen_logout_tokens").await, Some(Duration::ZERO));
    assert_eq!(expiry(database, "signed_out_browsers").await, Some(Duration::ZERO));
    assert_eq!(expiry(database, "login_sessions").await, Some(Duration::from_secs(60)));
    assert!(bench.store.create_session(&session_of(b"a")).await.unwrap());
    bench.store.delete_session(session_of(b"a").id).await.unwrap();
    assert_eq!(index_names(database, "sessions").await, ["_id_"]);
    let left = conversations.find_one(doc! {}).await.unwrap().unwrap();
    assert_eq!(left, doc! { "_id": 1, "expires_at": bson::DateTime::from_millis(0), "issuer": 1 });
    database.drop().await.unwrap();
}

#[tokio::test]
async fn sessions_of_the_version_before_are_removed_a_minute_later_too() {
    let server = mongo::server().await;
    let database = Client::with_uri_str(server.uri()).await.unwrap().database(&mongo::database_name());
    let raw = Raw::Mongo { uri: server.uri().to_owned(), database };
    let options = IndexOptions::builder()
        .name("vestibule_expires_at".to_owned())
        .collation(Collation::builder().locale("simple").build())
        .expire_after(Duration::ZERO)
        .build();
    let older = IndexModel::builder().keys(doc! { "expires_at": 1 }).options(options).build();
    raw.database().collection::<Document>("login_sessions").create_index(older).await.unwrap();
    let store = raw.open().await;
    eventually("indexes", async || has_all_indexes(raw.database()).await.then_some(())).await;
    eventually("a minute", async || {
        (expiry(raw.database(), "login_sessions").await == Some(Duration::from_secs(60))).then_some(())
    })
    .await;
    assert_eq!(store.ready().await.unwrap(), Vec::<String>::new());
    raw.database().drop().await.unwrap();
}

#[tokio::test]
async fn usernames_are_found_by_an_index_that_knows_no_case() {
    let bench = Bench::mongo().await;
    eventually("indexes", async || has_all_indexes(bench.raw.database()).await.then_some(())).await;
    let mut indexes = bench.raw.users().list_indexes().await.unwrap();
    let mut caseless = None;
    while indexes.advance().await.unwrap() {
        let index = indexes.deserialize_current().unwrap();
        if index.keys == doc! { "username": 1 } {
            caseless = index.options.and_then(|options| options.collation);
        }
    }
    let caseless = caseless.expect("an index of usernames with a collation");
    assert!(matches!(caseless.strength, Some(CollationStrength::Secondary)));
    assert_eq!(caseless.locale, "en");
    bench.raw.database().drop().await.unwrap();
}

#[tokio::test]
async fn writes_dates_where_the_expiry_index_looks() {
    let bench = Bench::mongo().await;
    let session = session_of(b"a");
    assert!(bench.store.create_session(&session).await.unwrap());
    claimed(&*bench.store, &claim_of(1, 1)).await;
    for collection in ["login_sessions", "login_attempts"] {
        let stored = bench.raw.database().collection::<Document>(collection).find_one(doc! {}).await.unwrap().unwrap();
        assert!(stored.get_datetime("expires_at").is_ok(), "{collection}");
        assert!(stored.get_binary_generic("_id").is_ok(), "{collection}");
    }
    bench.raw.database().drop().await.unwrap();
}

#[tokio::test]
async fn duplicates_are_told_and_keep_nobody_out() {
    let server = mongo::server().await;
    let database = Client::with_uri_str(server.uri()).await.unwrap().database(&mongo::database_name());
    let raw = Raw::Mongo { uri: server.uri().to_owned(), database };
    let twice = doc! { "issuer": ISSUER, "subject": "s-1", "username": "ada" };
    let first = raw.insert_user(twice.clone()).await;
    let second = raw.insert_user(twice).await;
    let store = raw.open().await;
    // One of the two, always the same.
    for _ in 0..3 {
        assert_eq!(signed_in(&*store, &person("s-1")).await.id, first);
    }
    created(&*store, &new_user("s-2", "grace")).await;
    let problems = eventually("a problem told", async || {
        let problems = store.ready().await.unwrap();
        (!problems.is_empty()).then_some(problems)
    })
    .await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    for part in [first.as_str(), second.as_str(), "issuer", "subject", "users"] {
        assert!(problems[0].contains(part), "{part}: {problems:?}");
    }
    // The others were made all the same.
    assert_eq!(index_names(raw.database(), "users").await.len(), 4);
    // Mended, and a new process finds nothing to tell.
    raw.users()
        .update_one(
            doc! { "_id": ObjectId::parse_str(second.as_str()).unwrap() },
            doc! { "$unset": { "issuer": "", "subject": "" } },
        )
        .await
        .unwrap();
    let store = raw.open().await;
    eventually("indexes", async || has_all_indexes(raw.database()).await.then_some(())).await;
    assert_eq!(store.ready().await.unwrap(), Vec::<String>::new());
    raw.database().drop().await.unwrap();
}

#[tokio::test]
async fn ill_typed_fields_keep_nobody_out() {
    let bench = Bench::mongo().await;
    let odd = doc! {
        "issuer": ISSUER, "subject": "s-1",
        "username": 7, "email": ["a"], "role": { "admin": true }, "full_name": Bson::Null, "is_active": "yes",
        "created_at": "long ago",
    };
    let id = bench.raw.insert_user(odd).await;
    let user = signed_in(&*bench.store, &person("s-1")).await;
    let expected = User {
        id,
        username: String::new(),
        email: None,
        email_verified: false,
        full_name: None,
        role: Role::User,
        active: true,
    };
    assert_eq!(user, expected);
    bench.raw.database().drop().await.unwrap();
}

/// A way to the server that notes the command of each request (an `OP_MSG`, whose body begins with its name).
mod wiretap {
    use std::{
        io::{Read as _, Write as _},
        net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
        sync::{Arc, Mutex},
        thread,
    };

    /// Connects; notes every command but those by which the driver watches the server.
    pub(crate) fn to(server: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let noted = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&noted);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let upstream = TcpStream::connect(server).unwrap();
                let (mut back, mut to) = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut back, &mut to));
                let notes = Arc::clone(&notes);
                thread::spawn(move || forward(client, upstream, &notes));
            }
        });
        (address, noted)
    }

    fn forward(mut client: TcpStream, mut upstream: TcpStream, notes: &Mutex<Vec<String>>) {
        let mut length = [0; 4];
        while client.read_exact(&mut length).is_ok() {
            let mut message = length.to_vec();
            message.resize(usize::try_from(i32::from_le_bytes(length)).unwrap(), 0);
            client.read_exact(&mut message[4..]).unwrap();
            if message[12..16] == 2013_i32.to_le_bytes() {
                // Header 16, flags 4, kind 1, document length 4, type 1.
                let name: Vec<u8> = message[26..].iter().copied().take_while(|byte| *byte != 0).collect();
                let name = String::from_utf8(name).unwrap();
                if !matches!(name.as_str(), "hello" | "isMaster" | "ismaster" | "ping") {
                    notes.lock().unwrap().push(name);
                }
            }
            upstream.write_all(&message).unwrap();
        }
    }
}

#[tokio::test]
async fn warm_sign_in_takes_four_requests() {
    let server = mongo::Server::start_own().await;
    let address = server.uri().trim_start_matches("mongodb://").trim_end_matches('/').parse().unwrap();
    let (address, requests) = wiretap::to(address);
    let bench = Bench::mongo_at(&format!("mongodb://{address}/")).await;
    let store = &*bench.store;
    created(store, &new_user("s-1", "ada")).await;
    eventually("indexes", async || has_all_indexes(bench.raw.database()).await.then_some(())).await;
    requests.lock().unwrap().clear();

    let claim = claim_of(1, 1);
    claimed(store, &claim).await;
    signed_in(store, &person("s-1")).await;
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &steps()).await.unwrap());
    assert!(store.create_session(&session_of(b"a")).await.unwrap());
    assert_eq!(*requests.lock().unwrap(), ["update", "findAndModify", "update", "insert"]);
}

#[tokio::test]
async fn a_new_user_takes_three_requests_however_many_names_are_taken() {
    let server = mongo::Server::start_own().await;
    let address = server.uri().trim_start_matches("mongodb://").trim_end_matches('/').parse().unwrap();
    let (address, requests) = wiretap::to(address);
    let bench = Bench::mongo_at(&format!("mongodb://{address}/")).await;
    let names = ["ada", "ada_2", "ada_3", "ada_4", "ada_5"];
    for name in &names[..4] {
        bench.raw.insert_user(doc! { "username": name.to_uppercase() }).await;
    }
    eventually("indexes", async || has_all_indexes(bench.raw.database()).await.then_some(())).await;
    requests.lock().unwrap().clear();
    let user = NewUser { usernames: names.map(str::to_owned).to_vec(), ..new_user("s-1", "") };
    assert_eq!(created(&*bench.store, &user).await.username, "ada_5");
    assert_eq!(*requests.lock().unwrap(), ["find", "find", "insert"]);
}

#[tokio::test]
async fn a_name_that_only_the_server_calls_taken_is_left() {
    let bench = Bench::mongo().await;
    bench.raw.insert_user(doc! { "username": "strasse" }).await;
    let names = ["stra\u{df}e", "stra\u{df}e_2", "stra\u{df}e_0badcafe"];
    let user = NewUser { usernames: names.map(str::to_owned).to_vec(), ..new_user("s-1", "") };
    let user = created(&*bench.store, &user).await;
    // Whether the two are one name is the server's to say; if they are, the name with random digits is taken.
    assert!([names[0], names[2]].contains(&user.username.as_str()), "{}", user.username);
    bench.raw.database().drop().await.unwrap();
}

#[tokio::test]
async fn unreachable_is_unavailable_and_comes_back() {
    let server = mongo::Server::start_own().await;
    let bench = Bench::mongo_at(server.uri()).await;
    server.stop();

    let began = Instant::now();
    let store = bench.raw.open().await;
    assert!(began.elapsed() < Duration::from_secs(1), "open waits for nothing");
    for answer in [
        store.ready().await.map(drop),
        store.claim(&claim_of(1, 1)).await.map(drop),
        store.sign_in_user(&person("s-1")).await.map(drop),
    ] {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(9), "three times 3 s at most");

    server.start().await;
    eventually("ready", async || store.ready().await.ok()).await;
    claimed(&*store, &claim_of(1, 1)).await;
    created(&*store, &new_user("s-1", "ada")).await;
    eventually("indexes", async || has_all_indexes(bench.raw.database()).await.then_some(())).await;
}

#[tokio::test]
async fn that_hangs_is_unavailable_in_time() {
    let server = mongo::Server::start_own().await;
    let bench = Bench::mongo_at(server.uri()).await;
    claimed(&*bench.store, &claim_of(1, 1)).await;
    server.pause();
    let began = Instant::now();
    let answer = bench.store.renew(claim_of(1, 1).id, claim_of(1, 1).owner).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(7));
    server.resume();
    eventually("goes on", async || bench.store.renew(claim_of(1, 1).id, claim_of(1, 1).owner).await.ok()).await;
}

#[tokio::test]
async fn errors_keep_the_password() {
    const PASSWORD: &str = "tr0ub4dor";
    for uri in [
        format!("mongodb://vestibule:{PASSWORD}@127.0.0.1:1/"),
        format!("mongodb://vestibule:{PASSWORD}@127.0.0.1:notaport/"),
        format!("mongodb://vestibule:{PASSWORD}@127.0.0.1:1/?connectTimeoutMS=x"),
        format!("mongodb+srv://vestibule:{PASSWORD}@nowhere.test/"),
        format!("postgres://vestibule:{PASSWORD}@127.0.0.1/"),
    ] {
        let settings = Database::Mongo { uri: SecretString::from(uri.clone()), name: "x".into() };
        let error = match store::open(&settings).await {
            Ok(store) => store.ready().await.unwrap_err(),
            Err(error) => error,
        };
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains(PASSWORD) && !text.contains("vestibule:"), "{uri}: {text}");
        }
    }
}
