-- Of a branch, the last revision whose changes are listed with a build, or that was there at first sight; null where neither.
ALTER TABLE watches ADD COLUMN built TEXT;
UPDATE watches SET built = revision;

-- What the file at the head of the first branch says of watching: WatchSettings of pipelines/watching.ts.
ALTER TABLE polls DROP COLUMN file_poll;
ALTER TABLE polls ADD COLUMN settings_json TEXT;
-- slots of the schedule count from here on
ALTER TABLE polls ADD COLUMN schedule_since INTEGER;
ALTER TABLE polls ADD COLUMN hook_at INTEGER;
-- when a change was found that no hook had announced, though hooks come
ALTER TABLE polls ADD COLUMN missed_at INTEGER;

-- Cursors of the further sources of a pipeline file; another address starts from nothing.
CREATE TABLE source_watches (
  pipeline_id INTEGER NOT NULL REFERENCES pipelines ON DELETE CASCADE,
  name TEXT NOT NULL,
  address TEXT NOT NULL,
  revision TEXT NOT NULL,
  noted_at INTEGER NOT NULL,
  PRIMARY KEY (pipeline_id, name)
) STRICT, WITHOUT ROWID;

-- Heads that have moved and wait for the quiet period to end.
CREATE TABLE quiet (
  pipeline_id INTEGER NOT NULL REFERENCES pipelines ON DELETE CASCADE,
  branch TEXT NOT NULL,
  revision TEXT NOT NULL,
  cause TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  PRIMARY KEY (pipeline_id, branch)
) STRICT, WITHOUT ROWID;
CREATE INDEX quiet_due ON quiet (due_at);

-- Every slot of a schedule that has passed: `slot` is its local time, which comes once also where clocks are put back.
CREATE TABLE slots (
  pipeline_id INTEGER NOT NULL REFERENCES pipelines ON DELETE CASCADE,
  slot TEXT NOT NULL,
  at INTEGER NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('built', 'missed')),
  run_id INTEGER REFERENCES runs ON DELETE SET NULL,
  PRIMARY KEY (pipeline_id, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX slots_at ON slots (pipeline_id, at);

-- Hooks that were accepted: none is taken twice, and one whose repository was not yet looked at is not lost by a restart.
CREATE TABLE deliveries (
  pipeline_id INTEGER NOT NULL REFERENCES pipelines ON DELETE CASCADE,
  delivery TEXT NOT NULL,
  at INTEGER NOT NULL,
  event TEXT NOT NULL,
  looked_at INTEGER,
  PRIMARY KEY (pipeline_id, delivery)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_open ON deliveries (pipeline_id) WHERE looked_at IS NULL;
CREATE INDEX deliveries_at ON deliveries (at);
