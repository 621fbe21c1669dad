-- What the provider said at the sign-in, for sign-out and for rules by group. Nothing of it in older rows.
ALTER TABLE login_sessions ADD COLUMN subject TEXT;
ALTER TABLE login_sessions ADD COLUMN sid TEXT;
ALTER TABLE login_sessions ADD COLUMN "groups" TEXT NOT NULL DEFAULT '[]'; -- JSON
ALTER TABLE login_sessions ADD COLUMN auth_time INTEGER;                   -- seconds, as in the claim
ALTER TABLE login_sessions ADD COLUMN acr TEXT;
ALTER TABLE login_sessions ADD COLUMN amr TEXT NOT NULL DEFAULT '[]';      -- JSON
-- SHA-256 of the id of the session that the attempt delivers. NULL in older rows.
ALTER TABLE login_attempts ADD COLUMN session BLOB;
