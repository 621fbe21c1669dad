//! Collection `users`, shared with ClaudeLens: we write our own fields and those it knows, and drop none.

use bson::{Document, doc, oid::ObjectId};
use mongodb::{
    Collection, Database,
    options::{Collation, CollationStrength, ReturnDocument},
};

use super::{date, is_duplicate};
use crate::server::{
    ids::UserId,
    store::{Created, NewUser, Person, ROUNDS, Role, StoreError, User, username_key},
};

pub(super) const COLLECTION: &str = "users";

fn users(database: &Database) -> Collection<Document> {
    database.collection(COLLECTION)
}

/// Byte for byte, whatever the collection's default.
pub(super) fn exact() -> Collation {
    Collation::builder().locale("simple").build()
}

/// Without regard to case. A collation, not a regular expression: a name is never a pattern.
fn caseless() -> Collation {
    Collation::builder().locale("en").strength(CollationStrength::Secondary).build()
}

/// What [`read`] needs; a user of ClaudeLens may carry much more.
fn known_fields() -> Document {
    doc! { "username": 1, "email": 1, "full_name": 1, "role": 1, "is_active": 1 }
}

/// Missing and ill-typed fields are ordinary in documents that others write; only the id must be there.
fn read(document: &Document) -> Result<User, StoreError> {
    let text = |field| document.get_str(field).ok().map(str::to_owned);
    let id = document
        .get_object_id("_id")
        .map_err(|_| StoreError::Unreadable("a user document whose _id is no ObjectId".into()))?;
    Ok(User {
        id: UserId::new(id.to_hex()),
        username: text("username").unwrap_or_default(),
        email: text("email"),
        full_name: text("full_name"),
        role: Role::of_stored(document.get_str("role").ok()),
        active: !matches!(document.get_bool("is_active"), Ok(false)),
    })
}

fn identity(person: &Person) -> Document {
    doc! { "issuer": { "$eq": person.issuer.as_str() }, "subject": { "$eq": person.subject.as_str() } }
}

/// What each sign-in refreshes.
fn refreshed(person: &Person) -> Document {
    let now = date(person.now);
    let mut fields = doc! { "last_login": now, "updated_at": now };
    if let Some(email) = &person.profile.email {
        fields.insert("email", email);
    }
    if let Some(verified) = person.profile.email_verified {
        fields.insert("email_verified", verified);
    }
    if let Some(name) = &person.profile.full_name {
        fields.insert("full_name", name);
    }
    if let Some(role) = person.role {
        fields.insert("role", role.as_str());
    }
    fields
}

/// Sets `fields` on the first document that matches, if it is active, and answers it in any case. Decided by the
/// server in one operation: of duplicates it is always the oldest, whether or not it is active.
async fn touch(database: &Database, filter: Document, fields: Document) -> mongodb::error::Result<Option<Document>> {
    let inactive = doc! { "$eq": ["$is_active", false] };
    // `$literal`: a claim that begins with "$" is a text, not an expression.
    let merged = doc! { "$mergeObjects": ["$$ROOT", { "$literal": fields }] };
    users(database)
        .find_one_and_update(filter, vec![doc! { "$replaceWith": { "$cond": [inactive, "$$ROOT", merged] } }])
        .collation(exact())
        .sort(doc! { "_id": 1 })
        .projection(known_fields())
        .return_document(ReturnDocument::After)
        .await
}

pub(super) async fn sign_in(database: Database, person: &Person) -> Result<Option<User>, StoreError> {
    let fields = refreshed(person);
    for _ in 0..ROUNDS {
        if let Some(known) = touch(&database, identity(person), fields.clone()).await? {
            return read(&known).map(Some);
        }
        // Two processes look for the same document, so that both adopt the same one of duplicates; the one that
        // comes second finds our fields on it and begins again.
        let Some(older) = older(&database, person).await? else { return Ok(None) };
        let user = read(&older)?;
        if older.contains_key("issuer") {
            continue;
        }
        if !user.active {
            return Ok(Some(user));
        }
        let mut adopted = fields.clone();
        adopted.extend(doc! { "issuer": person.issuer.as_str(), "subject": person.subject.as_str() });
        let untaken = doc! { "_id": older.get_object_id("_id").ok(), "issuer": { "$exists": false } };
        match touch(&database, untaken, adopted).await {
            Ok(Some(adopted)) => return read(&adopted).map(Some),
            Ok(None) => {}
            Err(error) if is_duplicate(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::contended())
}

/// The document that an older ClaudeLens deployment wrote for that person.
async fn older(database: &Database, person: &Person) -> Result<Option<Document>, StoreError> {
    let filter = doc! {
        "oidc_sub": { "$eq": person.subject.as_str() },
        "oidc_provider": { "$in": [&person.discovery_url, person.issuer.as_str()] },
        "$or": [{ "issuer": { "$exists": false } }, identity(person)],
    };
    let mut fields = known_fields();
    fields.insert("issuer", 1);
    Ok(users(database).find_one(filter).collation(exact()).sort(doc! { "_id": 1 }).projection(fields).await?)
}

pub(super) async fn create(database: Database, user: &NewUser) -> Result<Created, StoreError> {
    let person = &user.person;
    if exists(&database, identity(person), exact()).await? {
        return Ok(Created::Exists);
    }
    if exists(&database, doc! { "username": { "$eq": &user.username } }, caseless()).await? {
        return Ok(Created::UsernameTaken);
    }
    let mut document = doc! {
        "_id": ObjectId::new(),
        "username": &user.username,
        "username_key": username_key(&user.username),
        "is_active": true,
        "auth_method": "oidc",
        "created_at": date(person.now),
        "issuer": person.issuer.as_str(),
        "subject": person.subject.as_str(),
        "oidc_sub": person.subject.as_str(),
        "oidc_provider": &person.discovery_url,
    };
    document.extend(refreshed(person));
    document.insert("role", user.role.as_str());
    match users(&database).insert_one(&document).await {
        Ok(_) => read(&document).map(Created::New),
        // By which of the two unique indexes? Asked, since the message is not an interface.
        Err(error) if is_duplicate(&error) => Ok(if exists(&database, identity(person), exact()).await? {
            Created::Exists
        } else {
            Created::UsernameTaken
        }),
        Err(error) => Err(error.into()),
    }
}

async fn exists(database: &Database, filter: Document, collation: Collation) -> Result<bool, StoreError> {
    let found = users(database).find_one(filter).collation(collation).projection(doc! { "_id": 1 }).await?;
    Ok(found.is_some())
}

pub(super) async fn by_id(database: Database, id: &UserId) -> Result<Option<User>, StoreError> {
    let Ok(id) = ObjectId::parse_str(id.as_str()) else { return Ok(None) };
    users(&database).find_one(doc! { "_id": id }).projection(known_fields()).await?.as_ref().map(read).transpose()
}
