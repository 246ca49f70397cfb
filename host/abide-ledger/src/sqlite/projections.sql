-- Projections: derived from the log, updated with it, thrown away and made anew at will. Money is in millionths of a dollar.
CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  goal TEXT NOT NULL,
  autonomy INTEGER,
  mode TEXT NOT NULL CHECK (mode IN ('PLAN', 'APPLY')),
  status TEXT NOT NULL,
  budget_tokens INTEGER,
  budget_usd_micro INTEGER,
  budget_usd TEXT GENERATED ALWAYS AS (printf('%d.%06d', budget_usd_micro / 1000000, budget_usd_micro % 1000000)) VIRTUAL,
  budget_wall_ms INTEGER,
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  repo TEXT NOT NULL,
  target TEXT NOT NULL,
  base TEXT NOT NULL,
  profile TEXT NOT NULL,
  safety_mode TEXT NOT NULL,
  safety_level TEXT NOT NULL,
  ticket TEXT,
  sponsor TEXT NOT NULL
) STRICT;
CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  type TEXT NOT NULL,
  params TEXT NOT NULL,
  status TEXT NOT NULL,
  idempotency_key TEXT NOT NULL UNIQUE,
  attempt INTEGER NOT NULL DEFAULT 0,
  started_at INTEGER,
  finished_at INTEGER,
  error TEXT,
  unit TEXT NOT NULL,
  title TEXT NOT NULL
) STRICT;
CREATE INDEX tasks_by_run ON tasks (run_id);
CREATE VIEW events (id, run_id, task_id, ts, level, message, payload) AS
  SELECT seq, run, run || '/' || json_extract(CAST(bytes AS TEXT), '$.data.unit'), at,
    CASE
      WHEN kind IN ('Frozen', 'Killed', 'RefMoveRefused', 'RolledBack', 'WorkerFailed') THEN 'error'
      WHEN kind IN ('DeployDenied', 'PatchRefused', 'Refused', 'TargetMoved', 'UnitDenied') THEN 'warn'
      ELSE 'info'
    END,
    kind, json_extract(CAST(bytes AS TEXT), '$.data')
  FROM leaves;
CREATE TABLE budgets (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  provider TEXT NOT NULL,
  tokens_used INTEGER NOT NULL DEFAULT 0,
  usd_micro_spent INTEGER NOT NULL DEFAULT 0,
  usd_spent TEXT GENERATED ALWAYS AS (printf('%d.%06d', usd_micro_spent / 1000000, usd_micro_spent % 1000000)) VIRTUAL,
  PRIMARY KEY (run_id, provider)
) STRICT, WITHOUT ROWID;
CREATE TABLE reservations (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  reservation TEXT NOT NULL,
  provider TEXT NOT NULL,
  tokens INTEGER NOT NULL,
  usd_micro INTEGER NOT NULL,
  settled_by INTEGER,
  PRIMARY KEY (run_id, reservation)
) STRICT, WITHOUT ROWID;
CREATE TABLE decisions (
  seq INTEGER PRIMARY KEY,
  run TEXT,
  unit TEXT,
  class TEXT NOT NULL,
  kind TEXT NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN ('allow', 'review', 'deny')),
  action_digest TEXT NOT NULL,
  digest TEXT NOT NULL,
  expires INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  repo TEXT,
  ref TEXT,
  old TEXT,
  new TEXT,
  consumed_by INTEGER
) STRICT;
CREATE INDEX decisions_by_run ON decisions (run, seq);
CREATE INDEX decisions_by_ref ON decisions (repo, ref, old, new) WHERE ref IS NOT NULL;
-- What was done on a decision: each kind of deed at most once.
CREATE TABLE consumed (
  decision INTEGER NOT NULL REFERENCES decisions (seq),
  kind TEXT NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (decision, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE queue (
  item TEXT PRIMARY KEY,
  run TEXT NOT NULL,
  unit TEXT,
  decision INTEGER NOT NULL,
  class TEXT NOT NULL,
  action TEXT NOT NULL,
  expires INTEGER NOT NULL,
  why TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('waiting', 'approved', 'refused', 'superseded', 'done')),
  asked_at INTEGER NOT NULL,
  closed_by INTEGER
) STRICT;
CREATE TABLE approvals (
  seq INTEGER PRIMARY KEY,
  item TEXT NOT NULL,
  action TEXT NOT NULL,
  by_whom TEXT NOT NULL,
  role TEXT NOT NULL,
  at INTEGER NOT NULL,
  note TEXT,
  UNIQUE (item, action, by_whom)
) STRICT;
CREATE TABLE kills (
  seq INTEGER PRIMARY KEY,
  scope TEXT NOT NULL,
  kind TEXT NOT NULL,
  by_whom TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;
-- Scope '*' is the whole system, anything else is one run.
CREATE TABLE halts (
  scope TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL,
  halted INTEGER NOT NULL CHECK (halted IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE TABLE ref_moves (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  repo TEXT,
  ref TEXT NOT NULL,
  old TEXT NOT NULL,
  new TEXT NOT NULL,
  decision INTEGER,
  code TEXT
) STRICT;
CREATE INDEX ref_moves_by_repo ON ref_moves (repo, seq);
CREATE TABLE freezes (
  repo TEXT NOT NULL,
  ref TEXT NOT NULL,
  seq INTEGER NOT NULL,
  found TEXT NOT NULL,
  why TEXT NOT NULL,
  PRIMARY KEY (repo, ref)
) STRICT, WITHOUT ROWID;
CREATE TABLE releases (
  environment TEXT NOT NULL,
  release TEXT NOT NULL,
  commit_oid TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('canary', 'promoted', 'rolled-back')),
  seq INTEGER NOT NULL,
  started INTEGER NOT NULL,
  PRIMARY KEY (environment, release)
) STRICT, WITHOUT ROWID;
