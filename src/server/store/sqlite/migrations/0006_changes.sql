-- What has changed about sessions and accounts, whoever changes it, so that a process need not read again and again what it
-- knows. The newest rows are kept. No number comes twice, so that whoever follows sees that something is missing.
CREATE TABLE changes (
    number  INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    session BLOB,
    user_id TEXT
) STRICT;
INSERT INTO changes DEFAULT VALUES;

-- All that a check may go by. Not a visit, and not the first use: nobody knows a session before that.
CREATE TRIGGER login_sessions_changed AFTER UPDATE ON login_sessions
WHEN (new.user_id, new.expires_at, new.confirmed_at, new.rechecked_at, new."groups", new.browser, new.issuer, new.provider,
      new.created_at, new.subject, new.sid, new.auth_time, new.acr, new.amr)
    IS NOT
     (old.user_id, old.expires_at, old.confirmed_at, old.rechecked_at, old."groups", old.browser, old.issuer, old.provider,
      old.created_at, old.subject, old.sid, old.auth_time, old.acr, old.amr)
BEGIN
    INSERT INTO changes (session) VALUES (old.id);
END;

-- What has expired is removed in any case, and is nothing new. (Not `unixepoch`: the `sqlite3` of an operator may be older.)
CREATE TRIGGER login_sessions_removed AFTER DELETE ON login_sessions
WHEN old.expires_at > strftime('%s', 'now') * 1000
BEGIN
    INSERT INTO changes (session) VALUES (old.id);
END;

CREATE TRIGGER users_changed AFTER UPDATE ON users
WHEN (new.username, new.email, new.email_verified, new.full_name, new.role, new.is_active)
    IS NOT (old.username, old.email, old.email_verified, old.full_name, old.role, old.is_active)
BEGIN
    INSERT INTO changes (user_id) VALUES (old.id);
END;

-- (Not the row by which it is found out whether the file can be written.)
CREATE TRIGGER users_removed AFTER DELETE ON users
WHEN old.id <> '.probe'
BEGIN
    INSERT INTO changes (user_id) VALUES (old.id);
END;
