-- Times are epoch milliseconds; columns ending in _json hold the shapes of pipelines/model.ts; _sealed is AES-256-GCM.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- people -----------------------------------------------------------------------------------------------------------
CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  email TEXT,
  password_hash TEXT,
  admin INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE sessions (
  hash TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  scopes_json TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER
) STRICT;

-- configuration ----------------------------------------------------------------------------------------------------
CREATE TABLE projects (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE members (
  project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
  user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
  role TEXT NOT NULL,
  PRIMARY KEY (project_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE environments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
  name TEXT NOT NULL,
  position INTEGER NOT NULL,
  config_json TEXT NOT NULL,
  engine_tls_sealed TEXT,
  created_at INTEGER NOT NULL,
  UNIQUE (project_id, name)
) STRICT;
CREATE TABLE registries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
  environment_id INTEGER REFERENCES environments ON DELETE CASCADE,
  url TEXT NOT NULL,
  insecure INTEGER NOT NULL,
  username TEXT,
  password_sealed TEXT
) STRICT;
CREATE UNIQUE INDEX registries_owner ON registries (project_id, ifnull(environment_id, 0));
CREATE TABLE secrets (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
  environment_id INTEGER REFERENCES environments ON DELETE CASCADE,
  name TEXT NOT NULL,
  value_sealed TEXT NOT NULL,
  branches_json TEXT,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX secrets_owner ON secrets (project_id, ifnull(environment_id, 0), name);
CREATE TABLE pipelines (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
  name TEXT NOT NULL,
  source_json TEXT NOT NULL,
  credentials_sealed TEXT,
  hook_secret_sealed TEXT,
  file TEXT NOT NULL,
  definition TEXT,
  poll TEXT,
  created_at INTEGER NOT NULL,
  UNIQUE (project_id, name)
) STRICT;

-- watching ---------------------------------------------------------------------------------------------------------
CREATE TABLE watches (
  pipeline_id INTEGER NOT NULL REFERENCES pipelines ON DELETE CASCADE,
  branch TEXT NOT NULL,
  revision TEXT NOT NULL,
  noted_at INTEGER NOT NULL,
  PRIMARY KEY (pipeline_id, branch)
) STRICT, WITHOUT ROWID;
CREATE TABLE polls (
  pipeline_id INTEGER PRIMARY KEY REFERENCES pipelines ON DELETE CASCADE,
  -- the source (JSON) whose heads were noted; null until it was reached once
  source TEXT,
  -- what the file at the head of the first branch asks for
  file_poll TEXT,
  polled_at INTEGER,
  reached_at INTEGER,
  error TEXT
) STRICT;

-- runs -------------------------------------------------------------------------------------------------------------
-- state_json is the snapshot that transition.apply returned; the other columns are copies for looking things up.
CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('build', 'deployment', 'task')),
  project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
  pipeline_id INTEGER REFERENCES pipelines ON DELETE CASCADE,
  environment_id INTEGER REFERENCES environments ON DELETE CASCADE,
  stack TEXT,
  number INTEGER NOT NULL,
  status TEXT NOT NULL,
  result TEXT,
  pool TEXT NOT NULL,
  branch TEXT,
  revision TEXT,
  release_id INTEGER REFERENCES releases ON DELETE CASCADE,
  token TEXT,
  queued_at INTEGER NOT NULL,
  finished_at INTEGER,
  state_json TEXT NOT NULL,
  plan_json TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX runs_build_number ON runs (pipeline_id, number) WHERE kind = 'build';
CREATE UNIQUE INDEX runs_deployment_number ON runs (environment_id, number) WHERE kind = 'deployment';
CREATE UNIQUE INDEX runs_task_number ON runs (environment_id, number) WHERE kind = 'task';
CREATE INDEX runs_open ON runs (status, pool, queued_at) WHERE status <> 'finished';
CREATE INDEX runs_branch ON runs (pipeline_id, branch, number) WHERE kind = 'build';
CREATE INDEX runs_release ON runs (release_id, environment_id) WHERE release_id IS NOT NULL;
CREATE INDEX runs_revision ON runs (revision) WHERE revision IS NOT NULL;
CREATE INDEX runs_recent ON runs (project_id, id);

-- Numbers are never used again, not even by a pipeline or environment of the same name: `series` is its kind and its names.
CREATE TABLE numbers (series TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  at INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

-- What happened, in order; the ids are those of the event stream.
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  project_id INTEGER REFERENCES projects ON DELETE CASCADE,
  run_id INTEGER REFERENCES runs ON DELETE CASCADE,
  type TEXT NOT NULL,
  data_json TEXT NOT NULL
) STRICT;
CREATE INDEX events_run ON events (run_id);

CREATE TABLE tests (
  run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  step TEXT NOT NULL,
  suite TEXT NOT NULL,
  name TEXT NOT NULL,
  result TEXT NOT NULL,
  seconds REAL NOT NULL,
  message TEXT
) STRICT;
CREATE INDEX tests_run ON tests (run_id);
CREATE TABLE artifacts (
  run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  step TEXT NOT NULL,
  path TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  size INTEGER NOT NULL,
  PRIMARY KEY (run_id, path)
) STRICT, WITHOUT ROWID;

-- releases and what runs where ----------------------------------------------------------------------------------------
CREATE TABLE stacks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
  name TEXT NOT NULL,
  pipeline_id INTEGER NOT NULL REFERENCES pipelines ON DELETE CASCADE,
  UNIQUE (project_id, name)
) STRICT;
CREATE TABLE releases (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
  stack TEXT NOT NULL,
  version TEXT NOT NULL,
  pipeline_id INTEGER NOT NULL REFERENCES pipelines ON DELETE CASCADE,
  build INTEGER NOT NULL,
  build_run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  branch TEXT NOT NULL,
  revision TEXT NOT NULL,
  content_json TEXT NOT NULL,
  verify_json TEXT NOT NULL,
  notify_json TEXT NOT NULL,
  blocked_json TEXT,
  created_at INTEGER NOT NULL,
  UNIQUE (project_id, stack, version)
) STRICT;
CREATE TABLE stack_states (
  environment_id INTEGER NOT NULL REFERENCES environments ON DELETE CASCADE,
  stack TEXT NOT NULL,
  -- Current of pipelines/model.ts, with the deployment run whose plan it came from
  current_json TEXT,
  -- what was seen last, and when, after a deploy was lost
  observed_json TEXT,
  -- stops automatic promotion: {by, reason, at}
  hold_json TEXT,
  PRIMARY KEY (environment_id, stack)
) STRICT, WITHOUT ROWID;
CREATE TABLE locks (
  environment_id INTEGER NOT NULL REFERENCES environments ON DELETE CASCADE,
  stack TEXT NOT NULL,
  run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  taken_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, stack)
) STRICT, WITHOUT ROWID;

-- mail and audit ---------------------------------------------------------------------------------------------------
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  kind TEXT NOT NULL,
  recipient TEXT NOT NULL,
  why TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL,
  sent_at INTEGER,
  error TEXT,
  UNIQUE (run_id, kind, recipient)
) STRICT;
CREATE INDEX outbox_due ON outbox (next_at) WHERE sent_at IS NULL;
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  actor TEXT,
  action TEXT NOT NULL,
  project_id INTEGER REFERENCES projects ON DELETE SET NULL,
  target TEXT NOT NULL,
  data_json TEXT NOT NULL
) STRICT;
CREATE TABLE runners (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  pools_json TEXT NOT NULL,
  slots INTEGER NOT NULL,
  version TEXT NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
