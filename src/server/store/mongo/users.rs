//! Collection `users`, shared with ClaudeLens: we write our own fields and those it knows, and drop none.

use async_trait::async_trait;
use bson::{Document, doc, oid::ObjectId};
use futures_util::TryStreamExt as _;
use mongodb::{Collection, Database, options::ReturnDocument};

use super::{
    collections::{USERS, caseless, date, exact},
    connection::is_duplicate,
    store::MongoStore,
};
use crate::server::{
    email_address::stand_in,
    ids::UserId,
    limits,
    store::{
        error::StoreError,
        users::{Created, NewUser, Person, Role, User, UserStore, known_email, username_key},
    },
};

fn users(database: &Database) -> Collection<Document> {
    database.collection(USERS)
}

/// What [`read`] needs; a user of ClaudeLens may carry much more.
fn known_fields() -> Document {
    doc! { "username": 1, "email": 1, "email_verified": 1, "full_name": 1, "role": 1, "is_active": 1 }
}

/// Missing and ill-typed fields are ordinary in documents that others write; only the id must be there.
fn read(document: &Document) -> Result<User, StoreError> {
    let text = |field| document.get_str(field).ok().map(str::to_owned);
    let id = document
        .get_object_id("_id")
        .map_err(|_| StoreError::Unreadable("a user document whose _id is no ObjectId".into()))?;
    let (email, email_verified) = known_email(text("email"), matches!(document.get_bool("email_verified"), Ok(true)));
    Ok(User {
        id: UserId::new(id.to_hex()),
        username: text("username").unwrap_or_default(),
        email,
        email_verified,
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

/// What ClaudeLens cannot do without, where a document lacks it; `updated_at` is written at each sign-in anyway.
fn completed(person: &Person) -> Document {
    let has_name = doc! { "$eq": [{ "$type": "$username" }, "string"] };
    let local_part = doc! { "$cond": [has_name, "$username", { "$toString": "$_id" }] };
    let stand_in = doc! { "$concat": [local_part, stand_in("")] };
    doc! {
        "email": { "$ifNull": ["$email", stand_in] },
        "created_at": { "$ifNull": ["$created_at", date(person.now)] },
    }
}

/// Sets `fields` on the first document that matches, if it is active, and returns it in any case. Decided by the server
/// in one operation: of duplicates it is always the oldest, whether or not it is active.
async fn touch(
    database: &Database,
    filter: Document,
    person: &Person,
    fields: Document,
) -> mongodb::error::Result<Option<Document>> {
    let inactive = doc! { "$eq": ["$is_active", false] };
    let completed = if person.for_claudelens { completed(person) } else { Document::new() };
    // `$literal`: a claim that begins with "$" is a text, not an expression.
    let merged = doc! { "$mergeObjects": ["$$ROOT", completed, { "$literal": fields }] };
    users(database)
        .find_one_and_update(filter, vec![doc! { "$replaceWith": { "$cond": [inactive, "$$ROOT", merged] } }])
        .collation(exact())
        .sort(doc! { "_id": 1 })
        .projection(known_fields())
        .return_document(ReturnDocument::After)
        .await
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

async fn is_known(database: &Database, person: &Person) -> Result<bool, StoreError> {
    let found = users(database).find_one(identity(person)).collation(exact()).projection(doc! { "_id": 1 }).await?;
    Ok(found.is_some())
}

/// The first of the names that nobody has.
async fn free<'n>(database: &Database, names: &'n [String]) -> Result<Option<&'n String>, StoreError> {
    let bearers = doc! { "username": { "$in": names } };
    let mut cursor = users(database).find(bearers).collation(caseless()).projection(doc! { "username": 1 }).await?;
    let mut taken = Vec::new();
    while cursor.advance().await? {
        taken.extend(cursor.deserialize_current()?.get_str("username").map(username_key));
    }
    let is_free = |name: &&String| !taken.contains(&username_key(name));
    // The server's idea of "the same but for case" is wider than ours ("ß" is "ss"). Where we cannot tell which of the
    // names it means, only the last is safe, which carries random digits.
    let keys: Vec<_> = names.iter().map(|name| username_key(name)).collect();
    if taken.iter().all(|name| keys.contains(name)) {
        Ok(names.iter().find(is_free))
    } else {
        Ok(names.last().filter(is_free))
    }
}

/// A new user as a document.
fn document(user: &NewUser, username: &str) -> Document {
    let person = &user.person;
    let mut document = doc! {
        "_id": ObjectId::new(),
        "username": username,
        "username_key": username_key(username),
        "is_active": true,
        "auth_method": "oidc",
        "created_at": date(person.now),
        "issuer": person.issuer.as_str(),
        "subject": person.subject.as_str(),
        "oidc_sub": person.subject.as_str(),
        "oidc_provider": &person.discovery_url,
    };
    if person.for_claudelens {
        document.insert("email", stand_in(username));
    }
    document.extend(refreshed(person));
    document.insert("role", user.role.as_str());
    document
}

/// Signs in a user of an older deployment, whose document becomes ours. `None`: another process was quicker.
async fn adopt(database: &Database, person: &Person, older: &Document) -> Result<Option<User>, StoreError> {
    let mut fields = refreshed(person);
    fields.extend(doc! { "issuer": person.issuer.as_str(), "subject": person.subject.as_str() });
    let untaken = doc! { "_id": older.get_object_id("_id").ok(), "issuer": { "$exists": false } };
    match touch(database, untaken, person, fields).await {
        Ok(adopted) => adopted.as_ref().map(read).transpose(),
        Err(error) if is_duplicate(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl UserStore for MongoStore {
    async fn sign_in_user(&self, person: &Person) -> Result<Option<User>, StoreError> {
        self.health
            .bounded(async {
                let database = self.database().await?;
                for _ in 0..limits::RACE_ROUNDS {
                    if let Some(known) = touch(database, identity(person), person, refreshed(person)).await? {
                        return read(&known).map(Some);
                    }
                    // Two processes look for the same document, so that both adopt the same one of duplicates; the one
                    // that comes second finds our fields on it and begins again.
                    let Some(older) = older(database, person).await? else { return Ok(None) };
                    if older.contains_key("issuer") {
                        continue;
                    }
                    let user = read(&older)?;
                    if !user.active {
                        return Ok(Some(user));
                    }
                    if let Some(adopted) = adopt(database, person, &older).await? {
                        return Ok(Some(adopted));
                    }
                }
                Err(StoreError::contended())
            })
            .await
    }

    async fn create_user(&self, user: &NewUser) -> Result<Created, StoreError> {
        self.health
            .bounded(async {
                // Only the unique indexes make two first sign-ins at once one user.
                self.indexes.tried().await;
                let database = self.database().await?;
                if is_known(database, &user.person).await? {
                    return Ok(Created::Exists);
                }
                let Some(username) = free(database, &user.usernames).await? else { return Ok(Created::UsernameTaken) };
                let document = document(user, username);
                match users(database).insert_one(&document).await {
                    Ok(_) => read(&document).map(Created::New),
                    // Which of the two unique indexes it was is looked up, since the error message may change.
                    Err(error) if is_duplicate(&error) => {
                        let known = is_known(database, &user.person).await?;
                        Ok(if known { Created::Exists } else { Created::UsernameTaken })
                    }
                    Err(error) => Err(error.into()),
                }
            })
            .await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let Ok(id) = ObjectId::parse_str(id.as_str()) else { return Ok(None) };
        self.health
            .bounded(async {
                let found =
                    users(self.database().await?).find_one(doc! { "_id": id }).projection(known_fields()).await?;
                found.as_ref().map(read).transpose()
            })
            .await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let ids: Vec<_> = ids.iter().filter_map(|id| ObjectId::parse_str(id.as_str()).ok()).collect();
        self.health
            .bounded(async {
                let theirs = doc! { "_id": { "$in": ids } };
                let found = users(self.database().await?).find(theirs).projection(known_fields()).await?;
                let documents: Vec<Document> = found.try_collect().await?;
                documents.iter().map(read).collect()
            })
            .await
    }

    async fn username_is_shared(&self, user: &User) -> Result<bool, StoreError> {
        let Ok(id) = ObjectId::parse_str(user.id.as_str()) else { return Ok(false) };
        let others =
            doc! { "username": { "$eq": &user.username }, "_id": { "$ne": id }, "is_active": { "$ne": false } };
        self.health
            .bounded(async {
                let users = users(self.database().await?);
                let other = users.find_one(others).collation(caseless()).projection(doc! { "_id": 1 }).await?;
                Ok(other.is_some())
            })
            .await
    }
}
