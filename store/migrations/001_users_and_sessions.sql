-- One text for SQLite and PostgreSQL. Times are microseconds since 1970, UTC.
-- The prefix auth_ keeps out of the way of the app's own tables.

-- The last number given to a user, which is never given again.
CREATE TABLE auth_user_ids (last BIGINT NOT NULL);
INSERT INTO auth_user_ids (last) VALUES (0);

-- A person, by national identifier.
CREATE TABLE auth_users (
	id                  BIGINT PRIMARY KEY,
	national_id         TEXT NOT NULL UNIQUE,
	rpps                TEXT, -- eleven digits; NULL for a person who has none
	title               TEXT NOT NULL,
	first_name          TEXT NOT NULL,
	last_name           TEXT NOT NULL,
	email               TEXT, -- NULL as long as nobody has told it
	profession          TEXT NOT NULL,
	category            TEXT NOT NULL,
	specialty           TEXT NOT NULL,
	created_at          BIGINT NOT NULL,
	last_sign_in_at     BIGINT NOT NULL,
	previous_sign_in_at BIGINT -- NULL until the second sign-in
);

-- A sign-in. Written once, changed never.
CREATE TABLE auth_sessions (
	id          TEXT PRIMARY KEY,
	user_id     BIGINT NOT NULL REFERENCES auth_users (id),
	psc_session TEXT NOT NULL,
	id_token    BYTEA, -- sealed; SQLite keeps bytes as they are whatever the type is called
	created_at  BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL
);

-- A logout that PSC announces names its own session.
CREATE INDEX auth_sessions_psc_session ON auth_sessions (psc_session);

-- A session that was ended before its time. It need not be in auth_sessions.
CREATE TABLE auth_ended_sessions (
	id       TEXT PRIMARY KEY,
	ended_at BIGINT NOT NULL, -- by the database's clock, which all processes share
	until    BIGINT NOT NULL  -- by the app's clock
);

-- Every process asks for the latest ends every few seconds.
CREATE INDEX auth_ended_sessions_ended_at ON auth_ended_sessions (ended_at);

-- So that looking for notes to forget costs nothing when there are none.
CREATE INDEX auth_ended_sessions_until ON auth_ended_sessions (until);
