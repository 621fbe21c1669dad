-- When the sign-in began, and when its ID token was issued (seconds, as in the claim): what a logout token ends. NULL in
-- older rows.
ALTER TABLE login_sessions ADD COLUMN begun_at INTEGER;
ALTER TABLE login_sessions ADD COLUMN issued_at INTEGER;
-- The ID token, sealed, for sign-out at the provider.
ALTER TABLE login_sessions ADD COLUMN id_token BLOB;
CREATE INDEX login_sessions_sid ON login_sessions (issuer, sid) WHERE sid IS NOT NULL;
CREATE INDEX login_sessions_subject ON login_sessions (issuer, subject) WHERE subject IS NOT NULL;

-- What providers have signed out: so that no logout token counts twice, and no sign-in that was under way survives it.
CREATE TABLE seen_logout_tokens (
    id          BLOB PRIMARY KEY NOT NULL, -- SHA-256 of issuer, provider and jti
    issuer      TEXT NOT NULL,
    sid         TEXT,
    subject     TEXT,
    issued_at   INTEGER NOT NULL,          -- seconds, as in the claim
    received_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX seen_logout_tokens_sid ON seen_logout_tokens (issuer, sid) WHERE sid IS NOT NULL;
CREATE INDEX seen_logout_tokens_subject ON seen_logout_tokens (issuer, subject) WHERE subject IS NOT NULL;
CREATE INDEX seen_logout_tokens_expires_at ON seen_logout_tokens (expires_at);
