-- Times are milliseconds since 1970. The columns of `users` are named as in the MongoDB store.
CREATE TABLE users (
    id             TEXT PRIMARY KEY NOT NULL,
    username       TEXT NOT NULL,
    username_key   TEXT NOT NULL UNIQUE, -- lower case
    email          TEXT,
    email_verified INTEGER,
    full_name      TEXT,
    role           TEXT,
    is_active      INTEGER,              -- NULL: active
    auth_method    TEXT,
    created_at     INTEGER,
    updated_at     INTEGER,
    last_login     INTEGER,
    oidc_sub       TEXT,
    oidc_provider  TEXT,
    issuer         TEXT,
    subject        TEXT
) STRICT;
CREATE UNIQUE INDEX users_issuer_subject ON users (issuer, subject) WHERE issuer IS NOT NULL;
CREATE INDEX users_oidc_sub ON users (oidc_sub);

CREATE TABLE login_attempts (
    id          BLOB PRIMARY KEY NOT NULL,
    reference   TEXT NOT NULL,
    owner       BLOB NOT NULL,
    provider    TEXT NOT NULL,
    browser     BLOB NOT NULL,           -- SHA-256 of the browser key
    code        BLOB NOT NULL,           -- SHA-256 of the authorization code
    started_at  INTEGER NOT NULL,
    claimed_at  INTEGER NOT NULL,
    lease       INTEGER NOT NULL,        -- when last renewed, by this host's clock
    state       TEXT NOT NULL CHECK (state IN ('running', 'verified', 'failed', 'interrupted')),
    steps       TEXT NOT NULL DEFAULT '[]',
    verified_at INTEGER,
    delivery    BLOB,                    -- sealed
    error       TEXT,
    retry_at    INTEGER,
    expires_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX login_attempts_reference ON login_attempts (reference);
CREATE INDEX login_attempts_expires_at ON login_attempts (expires_at);

CREATE TABLE login_sessions (
    id           BLOB PRIMARY KEY NOT NULL, -- SHA-256 of the session id
    user_id      TEXT NOT NULL,
    issuer       TEXT NOT NULL,
    provider     TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    delivered_by BLOB
) STRICT;
CREATE INDEX login_sessions_expires_at ON login_sessions (expires_at);
