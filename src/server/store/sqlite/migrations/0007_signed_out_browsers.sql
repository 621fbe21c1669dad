-- Which browsers have signed out, so that no sign-in that was begun in one before delivers a session later.
CREATE TABLE signed_out_browsers (
    browser    BLOB PRIMARY KEY NOT NULL, -- SHA-256 of the browser key
    at         INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX signed_out_browsers_expires_at ON signed_out_browsers (expires_at);
