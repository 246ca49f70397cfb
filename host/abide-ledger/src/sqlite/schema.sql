-- The log. Only the triggers stand between a bug and history, so they are strict: a leaf is added at the end, and that is all.
CREATE TABLE leaves (
  seq INTEGER PRIMARY KEY,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  bytes BLOB NOT NULL CHECK (length(bytes) BETWEEN 2 AND 65535),
  kind TEXT NOT NULL,
  run TEXT,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX leaves_by_run ON leaves (run, seq) WHERE run IS NOT NULL;
CREATE INDEX leaves_by_kind ON leaves (kind, seq);
CREATE TRIGGER leaves_no_gap BEFORE INSERT ON leaves
  WHEN NEW.seq IS NOT (SELECT coalesce(max(seq) + 1, 0) FROM leaves)
  BEGIN SELECT RAISE(ABORT, 'a leaf goes to the end of the log'); END;
CREATE TRIGGER leaves_no_update BEFORE UPDATE ON leaves BEGIN SELECT RAISE(ABORT, 'a leaf never changes'); END;
CREATE TRIGGER leaves_no_delete BEFORE DELETE ON leaves BEGIN SELECT RAISE(ABORT, 'a leaf is never deleted'); END;

-- Roots of complete subtrees above the leaves.
CREATE TABLE nodes (
  level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 63),
  idx INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER nodes_no_replace BEFORE INSERT ON nodes
  WHEN EXISTS (SELECT 1 FROM nodes WHERE level = NEW.level AND idx = NEW.idx)
  BEGIN SELECT RAISE(ABORT, 'a node never changes'); END;
CREATE TRIGGER nodes_no_update BEFORE UPDATE ON nodes BEGIN SELECT RAISE(ABORT, 'a node never changes'); END;
CREATE TRIGGER nodes_no_delete BEFORE DELETE ON nodes BEGIN SELECT RAISE(ABORT, 'a node is never deleted'); END;

-- Bytes that events cite by digest.
CREATE TABLE blobs (
  digest TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE TRIGGER blobs_no_replace BEFORE INSERT ON blobs
  WHEN EXISTS (SELECT 1 FROM blobs WHERE digest = NEW.digest)
  BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER blobs_no_update BEFORE UPDATE ON blobs BEGIN SELECT RAISE(ABORT, 'a blob never changes'); END;
CREATE TRIGGER blobs_no_delete BEFORE DELETE ON blobs BEGIN SELECT RAISE(ABORT, 'a blob is never deleted'); END;

-- Signed roots: one for each size, for ever.
CREATE TABLE checkpoints (
  size INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  root BLOB NOT NULL CHECK (length(root) = 32),
  note TEXT NOT NULL
) STRICT;
CREATE TRIGGER checkpoints_no_replace BEFORE INSERT ON checkpoints
  WHEN EXISTS (SELECT 1 FROM checkpoints WHERE size = NEW.size)
  BEGIN SELECT RAISE(ABORT, 'a size is signed once'); END;
CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints BEGIN SELECT RAISE(ABORT, 'a checkpoint never changes'); END;
CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints BEGIN SELECT RAISE(ABORT, 'a checkpoint is never deleted'); END;
