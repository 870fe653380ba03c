-- Where the states of builds are reported: {kind, url}; url is null where the forge is at the host of the source.
ALTER TABLE pipelines ADD COLUMN status_json TEXT;
ALTER TABLE pipelines ADD COLUMN status_token_sealed TEXT;
-- why the last report did not get there, as a sentence
ALTER TABLE pipelines ADD COLUMN status_error TEXT;

-- Reports that transactions owe. next_at is null where the forge has refused for good.
CREATE TABLE statuses (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  state TEXT NOT NULL CHECK (state IN ('pending', 'success', 'failure', 'error', 'cancelled')),
  created_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER,
  sent_at INTEGER,
  error TEXT,
  UNIQUE (run_id, state)
) STRICT;
CREATE INDEX statuses_due ON statuses (next_at) WHERE sent_at IS NULL AND next_at IS NOT NULL;
