//! Table `users`.

use async_trait::async_trait;
use bson::oid::ObjectId;
use sqlx::{FromRow, Sqlite, Transaction};

use super::{
    connection::{Connections, json_list},
    store::SqliteStore,
};
use crate::server::{
    clock::to_millis,
    ids::UserId,
    store::{
        error::StoreError,
        users::{Created, NewUser, Person, Role, User, UserStore, known_email, username_key},
    },
};

macro_rules! columns {
    () => {
        concat!(
            "id, username, email, coalesce(email_verified, 0) <> 0 AS email_verified, full_name, role, ",
            "is_active IS NULL OR is_active <> 0 AS active"
        )
    };
}

/// With `?1` to `?7` as [`refreshed`] binds them; `None` leaves what is stored.
macro_rules! refresh {
    ($more:literal, $condition:literal) => {
        concat!(
            "UPDATE users SET email = coalesce(?1, email), email_verified = coalesce(?2, email_verified), ",
            "full_name = coalesce(?3, full_name), role = coalesce(?4, role), last_login = ?5, updated_at = ?5",
            $more,
            " WHERE (is_active IS NULL OR is_active <> 0) AND ",
            $condition,
            " RETURNING ",
            columns!()
        )
    };
}

#[derive(FromRow)]
struct UserRow {
    id: String,
    username: String,
    email: Option<String>,
    email_verified: bool,
    full_name: Option<String>,
    role: Option<String>,
    active: bool,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        let (email, email_verified) = known_email(row.email, row.email_verified);
        Self {
            id: UserId::new(row.id),
            username: row.username,
            email,
            email_verified,
            full_name: row.full_name,
            role: Role::of_stored(row.role.as_deref()),
            active: row.active,
        }
    }
}

/// A query whose parameters are bound in order.
type Query<'q> = sqlx::query::QueryAs<'q, Sqlite, UserRow, sqlx::sqlite::SqliteArguments>;

/// Binds `?1` to `?7`: what each sign-in refreshes, and who it is.
fn refreshed<'q>(query: Query<'q>, person: &'q Person) -> Query<'q> {
    query
        .bind(person.profile.email.as_deref())
        .bind(person.profile.email_verified)
        .bind(person.profile.full_name.as_deref())
        .bind(person.role.map(Role::as_str))
        .bind(to_millis(person.now))
        .bind(person.issuer.as_str())
        .bind(person.subject.as_str())
}

/// A user who is inactive, known to an older deployment, or new: decided under one lock.
async fn adopt(connections: &Connections, person: &Person) -> Result<Option<User>, StoreError> {
    let mut transaction = connections.write().await?;
    let found: Option<UserRow> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM users WHERE issuer = ?3 AND subject = ?1 ",
        "OR issuer IS NULL AND oidc_sub = ?1 AND oidc_provider IN (?2, ?3) ",
        "ORDER BY issuer IS NULL, id LIMIT 1"
    ))
    .bind(person.subject.as_str())
    .bind(&person.discovery_url)
    .bind(person.issuer.as_str())
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(found) = found else { return Ok(None) };
    if !found.active {
        return Ok(Some(found.into()));
    }
    let adopt = sqlx::query_as(refresh!(", issuer = ?6, subject = ?7", "id = ?8"));
    let adopted = refreshed(adopt, person).bind(found.id).fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(adopted.into_iter().next().map(User::from))
}

/// The first of the names that nobody has.
async fn free<'n>(
    transaction: &mut Transaction<'static, Sqlite>,
    names: &'n [String],
) -> Result<Option<&'n String>, StoreError> {
    for name in names {
        let taken = sqlx::query("SELECT 1 FROM users WHERE username_key = ?").bind(username_key(name));
        if taken.fetch_optional(&mut **transaction).await?.is_none() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

#[async_trait]
impl UserStore for SqliteStore {
    async fn sign_in_user(&self, person: &Person) -> Result<Option<User>, StoreError> {
        self.health
            .bounded(async {
                let known = refreshed(sqlx::query_as(refresh!("", "issuer = ?6 AND subject = ?7")), person)
                    .fetch_all(&self.connections.writer)
                    .await?;
                match known.into_iter().next() {
                    Some(user) => Ok(Some(user.into())),
                    None => adopt(&self.connections, person).await,
                }
            })
            .await
    }

    async fn create_user(&self, user: &NewUser) -> Result<Created, StoreError> {
        let person = &user.person;
        self.health
            .bounded(async {
                let mut transaction = self.connections.write().await?;
                let known = sqlx::query("SELECT 1 FROM users WHERE issuer = ? AND subject = ?")
                    .bind(person.issuer.as_str())
                    .bind(person.subject.as_str());
                if known.fetch_optional(&mut *transaction).await?.is_some() {
                    return Ok(Created::Exists);
                }
                let Some(username) = free(&mut transaction, &user.usernames).await? else {
                    return Ok(Created::UsernameTaken);
                };
                let insert = sqlx::query_as(concat!(
                    "INSERT INTO users (email, email_verified, full_name, role, last_login, updated_at, created_at, ",
                    "issuer, subject, oidc_sub, oidc_provider, id, username, username_key, is_active, auth_method) ",
                    "VALUES (?1, ?2, ?3, coalesce(?12, ?4), ?5, ?5, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11, 1, 'oidc') ",
                    "RETURNING ",
                    columns!()
                ));
                let created: Vec<UserRow> = refreshed(insert, person)
                    .bind(&person.discovery_url)
                    .bind(ObjectId::new().to_hex())
                    .bind(username)
                    .bind(username_key(username))
                    .bind(user.role.as_str())
                    .fetch_all(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                created.into_iter().next().map(|row| Created::New(row.into())).ok_or_else(StoreError::contended)
            })
            .await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        self.health
            .bounded(async {
                let row: Option<UserRow> = sqlx::query_as(concat!("SELECT ", columns!(), " FROM users WHERE id = ?"))
                    .bind(id.as_str())
                    .fetch_optional(&self.connections.readers)
                    .await?;
                Ok(row.map(User::from))
            })
            .await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        self.health
            .bounded(async {
                let among = concat!("SELECT ", columns!(), " FROM users WHERE id IN (SELECT value FROM json_each(?))");
                let rows: Vec<UserRow> = sqlx::query_as(among)
                    .bind(json_list(ids.iter().map(UserId::as_str)))
                    .fetch_all(&self.connections.readers)
                    .await?;
                Ok(rows.into_iter().map(User::from).collect())
            })
            .await
    }

    async fn username_is_shared(&self, user: &User) -> Result<bool, StoreError> {
        self.health
            .bounded(async {
                let other = sqlx::query(
                    "SELECT 1 FROM users WHERE username_key = ? AND id <> ? AND (is_active IS NULL OR is_active <> 0)",
                )
                .bind(username_key(&user.username))
                .bind(user.id.as_str());
                Ok(other.fetch_optional(&self.connections.readers).await?.is_some())
            })
            .await
    }
}
