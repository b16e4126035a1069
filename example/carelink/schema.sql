-- CareLink's own tables, beside those of the users and sessions.

-- One row: which form these tables have, and whether the demonstration made the
-- file (and may empty it without asking).
CREATE TABLE carelink (
  version    INTEGER NOT NULL,
  made_here  INTEGER NOT NULL,
  started_at TEXT    NOT NULL
) STRICT;

-- A tenant is a practice or an establishment; every patient belongs to one.
CREATE TABLE tenants (
  id   TEXT PRIMARY KEY,
  name TEXT NOT NULL
) STRICT;

-- The identifiers by which Pro Santé Connect names a tenant's structure.
CREATE TABLE structures (
  kind      TEXT NOT NULL CHECK (kind IN ('structure', 'finess', 'siret')),
  number    TEXT NOT NULL CHECK (number <> ''),
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  PRIMARY KEY (kind, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE patients (
  id         INTEGER PRIMARY KEY,
  tenant_id  TEXT NOT NULL REFERENCES tenants (id),
  first_name TEXT NOT NULL,
  last_name  TEXT NOT NULL,
  sex        TEXT NOT NULL, -- F, M or empty
  birth_date TEXT NOT NULL, -- 2006-01-02 or empty
  treatment  TEXT NOT NULL,
  folded     TEXT NOT NULL  -- last and first name without case and accents, for search and order
) STRICT;
CREATE INDEX patients_of_tenant ON patients (tenant_id, folded);

-- The author's name and profession are copied, because they stay what they were
-- on that day. The user's id is empty for the authors of the first data, who
-- have no account.
CREATE TABLE evaluations (
  id                INTEGER PRIMARY KEY,
  patient_id        INTEGER NOT NULL REFERENCES patients (id),
  type              TEXT    NOT NULL CHECK (type IN ('pain', 'fall', 'autonomy', 'follow_up')),
  score             INTEGER CHECK (score BETWEEN 0 AND 10),
  observations      TEXT    NOT NULL,
  to_validate       INTEGER NOT NULL, -- written by somebody in training
  author_id         TEXT    NOT NULL,
  author_name       TEXT    NOT NULL,
  author_profession TEXT    NOT NULL,
  at                TEXT    NOT NULL
) STRICT;
CREATE INDEX evaluations_of_patient ON evaluations (patient_id, at);

-- An evaluation is never changed or erased; a correction is a new one.
CREATE TRIGGER evaluations_stay BEFORE UPDATE ON evaluations
BEGIN SELECT RAISE (ABORT, 'an evaluation is never changed'); END;
CREATE TRIGGER evaluations_remain BEFORE DELETE ON evaluations
BEGIN SELECT RAISE (ABORT, 'an evaluation is never erased'); END;

-- One row for each sign-in: what CareLink saw of the person, so that the next
-- sign-in can tell what has changed and "Mon identité" can show what Pro Santé
-- Connect certified this time.
CREATE TABLE visits (
  id          INTEGER PRIMARY KEY,
  user_id     TEXT    NOT NULL,
  at          TEXT    NOT NULL,
  first_name  TEXT    NOT NULL,
  last_name   TEXT    NOT NULL,
  tenant_id   TEXT    NOT NULL, -- empty for none
  tenant_name TEXT    NOT NULL,
  certified   TEXT    NOT NULL, -- JSON
  old_name    TEXT    NOT NULL, -- the name at the visit before, if it was another
  new_name    TEXT    NOT NULL,
  moved       INTEGER NOT NULL, -- whether the tenant at the visit before was another
  old_tenant  TEXT    NOT NULL, -- its name, empty for none
  greeted     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX visits_of_user ON visits (user_id, id);
