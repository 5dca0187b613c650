-- The engine's tables: who may write, what is asked for, what was due, how vendors fare.

CREATE TABLE lease (
  lease_id      INTEGER PRIMARY KEY CHECK (lease_id = 1),  -- one engine a database
  token         INTEGER NOT NULL,               -- fencing token: rises with every taking
  owner         TEXT    NOT NULL,               -- host:pid of the engine; empty when released
  taken_at_us   INTEGER NOT NULL,               -- when it was taken
  heartbeat_us  INTEGER NOT NULL,               -- newest sign of life
  expires_us    INTEGER NOT NULL                -- when another engine may take it
) STRICT;

CREATE TABLE plans (
  plan_id       TEXT    NOT NULL PRIMARY KEY,   -- SHA-256 of everything that decides it
  source        TEXT    NOT NULL,               -- name of the source
  request_json  TEXT    NOT NULL,               -- what was asked for: range, mode, symbols
  plan_json     TEXT    NOT NULL,               -- the plan, whole
  created_at_us INTEGER NOT NULL                -- when it was made
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
  job_id        INTEGER PRIMARY KEY AUTOINCREMENT,  -- our number for it, rising
  plan_id       TEXT    NOT NULL,               -- SHA-256 of the frozen request; the same request has the same plan
  kind          TEXT    NOT NULL CHECK (kind IN ('ingest', 'backfill', 'replay', 'rebuild')),  -- what it does
  source        TEXT    NOT NULL,               -- name of the source
  lane          INTEGER NOT NULL CHECK (lane IN (0, 1, 2)),  -- 0 live, 1 operator, 2 backfill; lower goes first
  state         TEXT    NOT NULL DEFAULT 'queued'  -- where it stands
                CHECK (state IN ('queued', 'running', 'paused', 'cancelling', 'cancelled', 'succeeded', 'failed')),
  request_json  TEXT    NOT NULL,               -- what was asked for, whole
  actor         TEXT    NOT NULL,               -- who asked
  channel       TEXT    NOT NULL,               -- through which door: cli | console | engine | library
  created_at_us INTEGER NOT NULL,               -- when it was asked for
  started_at_us INTEGER,                        -- when its first slice began
  finished_at_us INTEGER,                       -- when it was over
  digest        TEXT                            -- over the slices' digests in order, when all succeeded
) STRICT;
CREATE INDEX jobs_open ON jobs (lane, job_id) WHERE state IN ('queued', 'running', 'paused', 'cancelling');
CREATE INDEX jobs_by_plan ON jobs (plan_id, job_id);
CREATE INDEX jobs_by_source ON jobs (source, job_id);

CREATE TABLE job_slices (
  job_id        INTEGER NOT NULL REFERENCES jobs (job_id),  -- job that it is part of
  slice_no      INTEGER NOT NULL,               -- order within the job, from 1
  partition     TEXT    NOT NULL,               -- session date, or the planned instant of a live fire
  why           TEXT    NOT NULL,               -- missing, failed, stale config, stale code, stale calendar, forced, due
  state         TEXT    NOT NULL DEFAULT 'queued'  -- where it stands
                CHECK (state IN ('queued', 'running', 'cancelled', 'succeeded', 'failed')),
  token         INTEGER,                        -- lease under which it runs or ran
  attempts      INTEGER NOT NULL DEFAULT 0,     -- times it was tried
  not_before_us INTEGER NOT NULL DEFAULT 0,     -- when it may be tried next
  first_try_us  INTEGER,                        -- start of the retry budget
  error         TEXT,                           -- newest failure
  is_dead       INTEGER NOT NULL DEFAULT 0 CHECK (is_dead IN (0, 1)),  -- given up: a dead task
  rows_read     INTEGER NOT NULL DEFAULT 0,     -- records of its payloads
  inserted      INTEGER NOT NULL DEFAULT 0,     -- new keys
  unchanged     INTEGER NOT NULL DEFAULT 0,     -- known keys, same values
  corrected     INTEGER NOT NULL DEFAULT 0,     -- known keys, other values
  rejected      INTEGER NOT NULL DEFAULT 0,     -- records in dead letters
  duplicate     INTEGER NOT NULL DEFAULT 0,     -- identical repeats within a payload
  digest        TEXT,                           -- over its runs' digests in order
  runs_json     TEXT    NOT NULL DEFAULT '[]',  -- runs that it made
  started_at_us INTEGER,                        -- when its newest attempt began
  finished_at_us INTEGER,                       -- when its newest attempt ended
  PRIMARY KEY (job_id, slice_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_slices_queued ON job_slices (job_id, slice_no, not_before_us) WHERE state = 'queued';
CREATE INDEX job_slices_running ON job_slices (job_id, slice_no) WHERE state = 'running';
CREATE INDEX job_slices_dead ON job_slices (job_id, slice_no) WHERE is_dead = 1;
CREATE INDEX job_slices_by_partition ON job_slices (partition, job_id);

CREATE TABLE occurrences (
  source        TEXT    NOT NULL,               -- name of the source
  planned_us    INTEGER NOT NULL,               -- instant at which it was due
  state         TEXT    NOT NULL CHECK (state IN ('fired', 'late', 'missed', 'skipped', 'overlapped')),  -- what became of it
  seen_us       INTEGER NOT NULL,               -- when the engine dealt with it
  job_id        INTEGER REFERENCES jobs (job_id),  -- job that it queued
  PRIMARY KEY (source, planned_us)              -- an occurrence runs at most once
) STRICT, WITHOUT ROWID;

CREATE TABLE next_fires (
  source        TEXT    NOT NULL PRIMARY KEY,   -- name of the source
  planned_us    INTEGER NOT NULL                -- when it is due next, as the engine saw it last
) STRICT, WITHOUT ROWID;

CREATE TABLE source_health (
  source        TEXT    NOT NULL PRIMARY KEY,   -- name of the source
  state         TEXT    NOT NULL CHECK (state IN ('ok', 'degraded', 'failed')),  -- how its vendor fares
  failures      INTEGER NOT NULL,               -- in a row
  last_error    TEXT,                           -- newest failure
  last_ok_us    INTEGER,                        -- newest success
  next_try_us   INTEGER                         -- when the circuit lets the next attempt through
) STRICT, WITHOUT ROWID;

CREATE TABLE rate_buckets (
  vendor        TEXT    NOT NULL PRIMARY KEY,   -- sources that share a limit share a vendor
  tokens_millionths INTEGER NOT NULL,           -- requests that may be made now, in millionths
  refilled_us   INTEGER NOT NULL                -- when that number was right
) STRICT, WITHOUT ROWID;

CREATE TABLE taken_objects (
  source        TEXT    NOT NULL,               -- name of the source
  object_name   TEXT    NOT NULL,               -- path below the source's root
  sha256        TEXT    NOT NULL,               -- of the bytes taken; for a growing file of its first offset_bytes
  offset_bytes  INTEGER NOT NULL,               -- how far it was read
  modified_us   INTEGER NOT NULL,               -- the file's own time when it was taken
  taken_at_us   INTEGER NOT NULL,               -- when it was taken
  PRIMARY KEY (source, object_name, sha256)
) STRICT, WITHOUT ROWID;
