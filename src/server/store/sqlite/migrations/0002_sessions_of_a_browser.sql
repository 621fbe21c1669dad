-- Which browser a session belongs to (SHA-256 of its key): signing out ends all of them. NULL in older rows.
ALTER TABLE login_sessions ADD COLUMN browser BLOB;
CREATE INDEX login_sessions_browser ON login_sessions (browser);
CREATE INDEX login_attempts_browser ON login_attempts (browser);
