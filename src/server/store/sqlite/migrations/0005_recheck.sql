-- When the provider last confirmed a session, and when it was last asked to. NULL: at the sign-in, and not yet.
ALTER TABLE login_sessions ADD COLUMN confirmed_at INTEGER;
ALTER TABLE login_sessions ADD COLUMN rechecked_at INTEGER;
