-- The order in which queued runs are claimed; see `nextQueued`.
CREATE INDEX runs_queue ON runs (pool, kind = 'build', queued_at, id) WHERE status = 'queued';
