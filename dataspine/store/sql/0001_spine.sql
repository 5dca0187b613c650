-- The spine's tables. Times are INTEGER microseconds since 1970-01-01T00:00:00Z (UTC) and end in _us;
-- prices and quantities are canonical decimal TEXT (no exponent, no leading or trailing zeros);
-- hashes are lower-case hexadecimal SHA-256 TEXT.

CREATE TABLE sources (
  source_id     INTEGER PRIMARY KEY,            -- our number for it
  name          TEXT    NOT NULL UNIQUE,        -- name in dataspine.toml
  kind          TEXT    NOT NULL CHECK (kind IN ('market', 'trade')),  -- canonical schema
  config_hash   TEXT    NOT NULL,               -- newest profile used, see source_profiles
  created_at_us INTEGER NOT NULL,               -- first use
  rows_stored   INTEGER NOT NULL DEFAULT 0,     -- canonical rows now, kept by the ingest transaction
  open_letters  INTEGER NOT NULL DEFAULT 0,     -- dead letters in state open, kept by triggers
  last_run_id   INTEGER                         -- newest finished run
) STRICT;

CREATE TABLE source_profiles (
  config_hash   TEXT    NOT NULL PRIMARY KEY,   -- SHA-256 of profile_json
  source_id     INTEGER NOT NULL REFERENCES sources (source_id),
  profile_json  TEXT    NOT NULL,               -- whole mapping as it was, no secrets
  first_used_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE symbols (
  symbol_id     INTEGER PRIMARY KEY,            -- our number for it
  symbol        TEXT    NOT NULL UNIQUE         -- canonical
) STRICT;

CREATE TABLE symbol_aliases (
  source_id     INTEGER NOT NULL REFERENCES sources (source_id),
  source_symbol TEXT    NOT NULL,               -- as the vendor wrote it
  symbol_id     INTEGER NOT NULL REFERENCES symbols (symbol_id),
  symbology     TEXT    NOT NULL,               -- rule set that made the canonical symbol of it
  PRIMARY KEY (source_id, source_symbol, symbol_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE payloads (
  payload_id    INTEGER PRIMARY KEY,
  sha256        TEXT    NOT NULL,               -- of the bytes as received; file name in the archive
  source_id     INTEGER NOT NULL REFERENCES sources (source_id),
  size_bytes    INTEGER NOT NULL,               -- as received
  object_name   TEXT    NOT NULL,               -- file name or URL without secrets
  origin        TEXT    NOT NULL CHECK (origin IN ('fetch', 'edit')),  -- vendor, or an operator's edit of a letter
  received_at_us INTEGER NOT NULL               -- "now" for every judgement of this payload
) STRICT;
CREATE INDEX payloads_by_object ON payloads (source_id, object_name, payload_id);
CREATE INDEX payloads_by_receipt ON payloads (source_id, received_at_us, payload_id);
CREATE INDEX payloads_by_hash ON payloads (sha256);

CREATE TABLE runs (
  run_id        INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id     INTEGER NOT NULL REFERENCES sources (source_id),
  payload_id    INTEGER NOT NULL REFERENCES payloads (payload_id),
  kind          TEXT    NOT NULL CHECK (kind IN ('ingest', 'redrive')),
  state         TEXT    NOT NULL CHECK (state IN ('running', 'succeeded', 'rejected', 'interrupted')),
                                                -- rejected: nothing published, one letter for payload or batch
  config_hash   TEXT    NOT NULL,               -- profile used
  code_version  TEXT    NOT NULL,               -- version and hash of the heart's code
  started_at_us INTEGER NOT NULL,
  finished_at_us INTEGER,
  owner         TEXT    NOT NULL,               -- process that runs it: host:pid
  rows_read     INTEGER NOT NULL DEFAULT 0,     -- records in the payload
  inserted      INTEGER NOT NULL DEFAULT 0,     -- new keys
  unchanged     INTEGER NOT NULL DEFAULT 0,     -- known keys, same values or restated by a payload received later
  corrected     INTEGER NOT NULL DEFAULT 0,     -- known keys, other values; old version in revisions
  rejected      INTEGER NOT NULL DEFAULT 0,     -- records in dead letters
  duplicate     INTEGER NOT NULL DEFAULT 0,     -- identical repeats within this payload
  skipped       INTEGER NOT NULL DEFAULT 0,     -- lines that are no records (preamble, footer, listed types); not in rows_read
  out_of_order  INTEGER NOT NULL DEFAULT 0,     -- accepted records older than the one before
  reasons_json  TEXT    NOT NULL DEFAULT '{}',  -- {"CODE": records}
  skipped_json  TEXT    NOT NULL DEFAULT '{}',  -- {"rule": lines}
  digest        TEXT,                           -- SHA-256 of accepted records as canonical lines, in payload order
  batch_seq     INTEGER,                        -- audit sequence of the event that published it
  CHECK (state NOT IN ('succeeded', 'rejected')
         OR rows_read = inserted + unchanged + corrected + rejected + duplicate)
) STRICT;
CREATE INDEX runs_by_source ON runs (source_id, run_id);
CREATE INDEX runs_by_payload ON runs (payload_id, run_id);
CREATE INDEX runs_open ON runs (run_id) WHERE state = 'running';

CREATE TRIGGER runs_stay_closed BEFORE UPDATE OF state ON runs WHEN OLD.state <> 'running'
BEGIN
  SELECT RAISE(ABORT, 'a run that has ended stays as it ended');
END;
CREATE TRIGGER runs_keep BEFORE DELETE ON runs
BEGIN
  SELECT RAISE(ABORT, 'a run is never deleted');
END;

CREATE TABLE market_data (
  source_id     INTEGER NOT NULL,
  symbol_id     INTEGER NOT NULL,
  timestamp_us  INTEGER NOT NULL,               -- the vendor's label; a bar's start
  interval_s    INTEGER NOT NULL,               -- bar length; 0 for a quote or snapshot
  price         TEXT    NOT NULL,               -- last price, or a bar's close
  volume        ANY     NOT NULL,               -- INTEGER, or decimal TEXT where the source declares volume = "decimal"
  open          TEXT,
  high          TEXT,
  low           TEXT,
  vwap          TEXT,
  trade_count   INTEGER,
  volume_kind   TEXT    NOT NULL,               -- interval | cumulative
  run_id        INTEGER NOT NULL,               -- run that wrote this version
  position      INTEGER NOT NULL,               -- record's ordinal in the run's payload, from 1
  PRIMARY KEY (source_id, symbol_id, timestamp_us, interval_s)
) STRICT, WITHOUT ROWID;

CREATE TABLE trade_data (
  source_id     INTEGER NOT NULL,
  client_id     TEXT    NOT NULL,               -- account at the source
  trade_id      TEXT    NOT NULL,               -- execution id, unique within client
  symbol_id     INTEGER NOT NULL,
  timestamp_us  INTEGER NOT NULL,               -- execution time
  side          TEXT    NOT NULL,               -- BUY | SELL
  quantity      TEXT    NOT NULL,
  price         TEXT    NOT NULL,
  venue         TEXT    NOT NULL,
  exec_type     TEXT    NOT NULL,               -- NEW | CORRECT | CANCEL
  ref_trade_id  TEXT,                           -- trade that a CORRECT or CANCEL refers to
  run_id        INTEGER NOT NULL,
  position      INTEGER NOT NULL,
  PRIMARY KEY (source_id, client_id, trade_id)
) STRICT, WITHOUT ROWID;

-- Old versions. One table per family keeps the columns typed; `superseded_by` is the run that replaced the version.
CREATE TABLE market_revisions (
  revision_id   INTEGER PRIMARY KEY,
  superseded_by INTEGER NOT NULL REFERENCES runs (run_id),
  source_id     INTEGER NOT NULL,
  symbol_id     INTEGER NOT NULL,
  timestamp_us  INTEGER NOT NULL,
  interval_s    INTEGER NOT NULL,
  price         TEXT    NOT NULL,
  volume        ANY     NOT NULL,
  open          TEXT,
  high          TEXT,
  low           TEXT,
  vwap          TEXT,
  trade_count   INTEGER,
  volume_kind   TEXT    NOT NULL,
  run_id        INTEGER NOT NULL,
  position      INTEGER NOT NULL
) STRICT;
CREATE INDEX market_revisions_by_key ON market_revisions (source_id, symbol_id, timestamp_us, interval_s);
CREATE INDEX market_revisions_by_run ON market_revisions (superseded_by);
CREATE INDEX market_revisions_by_writer ON market_revisions (run_id);

CREATE TABLE trade_revisions (
  revision_id   INTEGER PRIMARY KEY,
  superseded_by INTEGER NOT NULL REFERENCES runs (run_id),
  source_id     INTEGER NOT NULL,
  client_id     TEXT    NOT NULL,
  trade_id      TEXT    NOT NULL,
  symbol_id     INTEGER NOT NULL,
  timestamp_us  INTEGER NOT NULL,
  side          TEXT    NOT NULL,
  quantity      TEXT    NOT NULL,
  price         TEXT    NOT NULL,
  venue         TEXT    NOT NULL,
  exec_type     TEXT    NOT NULL,
  ref_trade_id  TEXT,
  run_id        INTEGER NOT NULL,
  position      INTEGER NOT NULL
) STRICT;
CREATE INDEX trade_revisions_by_key ON trade_revisions (source_id, client_id, trade_id);
CREATE INDEX trade_revisions_by_run ON trade_revisions (superseded_by);
CREATE INDEX trade_revisions_by_writer ON trade_revisions (run_id);

CREATE TRIGGER market_data_keep_old BEFORE UPDATE ON market_data WHEN OLD.run_id <> NEW.run_id
BEGIN
  INSERT INTO market_revisions (superseded_by, source_id, symbol_id, timestamp_us, interval_s, price, volume,
                                open, high, low, vwap, trade_count, volume_kind, run_id, position)
  VALUES (NEW.run_id, OLD.source_id, OLD.symbol_id, OLD.timestamp_us, OLD.interval_s, OLD.price, OLD.volume,
          OLD.open, OLD.high, OLD.low, OLD.vwap, OLD.trade_count, OLD.volume_kind, OLD.run_id, OLD.position);
END;
CREATE TRIGGER trade_data_keep_old BEFORE UPDATE ON trade_data WHEN OLD.run_id <> NEW.run_id
BEGIN
  INSERT INTO trade_revisions (superseded_by, source_id, client_id, trade_id, symbol_id, timestamp_us, side,
                               quantity, price, venue, exec_type, ref_trade_id, run_id, position)
  VALUES (NEW.run_id, OLD.source_id, OLD.client_id, OLD.trade_id, OLD.symbol_id, OLD.timestamp_us, OLD.side,
          OLD.quantity, OLD.price, OLD.venue, OLD.exec_type, OLD.ref_trade_id, OLD.run_id, OLD.position);
END;

CREATE TABLE dead_letters (
  letter_id     INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id     INTEGER NOT NULL REFERENCES sources (source_id),
  payload_id    INTEGER NOT NULL REFERENCES payloads (payload_id),
  run_id        INTEGER NOT NULL REFERENCES runs (run_id),  -- run that found it first
  scope         TEXT    NOT NULL CHECK (scope IN ('record', 'payload', 'batch')),
  position      INTEGER NOT NULL,               -- record's ordinal in the payload, from 1; 0 for payload and batch
  records       INTEGER NOT NULL,               -- records it stands for
  raw           BLOB    NOT NULL,               -- the record's bytes as received; first bytes for payload and batch
  raw_sha256    TEXT    NOT NULL,
  context_json  TEXT    NOT NULL DEFAULT '{}',  -- what its format needs to be read alone: header, member name, symbol key
  reasons_json  TEXT    NOT NULL,               -- [{"code", "field", "message"}], all of them, at the newest attempt
  code          TEXT    NOT NULL,               -- first reason's code
  fingerprint   TEXT    NOT NULL,               -- groups letters of one kind: source, codes, fields
  rule_version  TEXT    NOT NULL,               -- contracts that judged it
  state         TEXT    NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved', 'discarded')),
  version       INTEGER NOT NULL DEFAULT 1,     -- compare-and-set: every change adds 1
  attempts      INTEGER NOT NULL DEFAULT 1,     -- times it was judged
  edited        BLOB,                           -- operator's bytes, tried instead of raw; raw never changes
  created_at_us INTEGER NOT NULL,
  changed_at_us INTEGER NOT NULL,
  resolved_by_run INTEGER REFERENCES runs (run_id),  -- run that stored the record at last
  resolved_key  TEXT,                           -- canonical key of the row it became
  note          TEXT,                           -- operator's reason for discard or restore
  UNIQUE (payload_id, scope, position)
) STRICT;
CREATE INDEX dead_letters_open ON dead_letters (letter_id) WHERE state = 'open';
CREATE INDEX dead_letters_by_source ON dead_letters (source_id, state, letter_id);
CREATE INDEX dead_letters_by_code ON dead_letters (code, state, letter_id);
CREATE INDEX dead_letters_by_fingerprint ON dead_letters (fingerprint, state, letter_id);

CREATE TABLE dead_letter_counts (
  source_id     INTEGER NOT NULL,
  code          TEXT    NOT NULL,
  state         TEXT    NOT NULL,
  letters       INTEGER NOT NULL,
  PRIMARY KEY (source_id, code, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER dead_letters_count_new AFTER INSERT ON dead_letters
BEGIN
  INSERT INTO dead_letter_counts VALUES (NEW.source_id, NEW.code, NEW.state, 1)
    ON CONFLICT DO UPDATE SET letters = letters + 1;
  UPDATE sources SET open_letters = open_letters + (NEW.state = 'open') WHERE source_id = NEW.source_id;
END;
CREATE TRIGGER dead_letters_count_change AFTER UPDATE OF state, code ON dead_letters
WHEN OLD.state <> NEW.state OR OLD.code <> NEW.code
BEGIN
  UPDATE dead_letter_counts SET letters = letters - 1
    WHERE source_id = OLD.source_id AND code = OLD.code AND state = OLD.state;
  INSERT INTO dead_letter_counts VALUES (NEW.source_id, NEW.code, NEW.state, 1)
    ON CONFLICT DO UPDATE SET letters = letters + 1;
  UPDATE sources SET open_letters = open_letters + (NEW.state = 'open') - (OLD.state = 'open')
    WHERE source_id = NEW.source_id;
END;
CREATE TRIGGER dead_letters_count_gone AFTER DELETE ON dead_letters
BEGIN
  UPDATE dead_letter_counts SET letters = letters - 1
    WHERE source_id = OLD.source_id AND code = OLD.code AND state = OLD.state;
  UPDATE sources SET open_letters = open_letters - (OLD.state = 'open') WHERE source_id = OLD.source_id;
END;
-- A letter of a run that never finished may go; any other stays for ever, and its bytes never change.
CREATE TRIGGER dead_letters_keep BEFORE DELETE ON dead_letters
WHEN (SELECT state FROM runs WHERE run_id = OLD.run_id) IS NOT 'running'
BEGIN
  SELECT RAISE(ABORT, 'a dead letter is never deleted; discard is a mark');
END;
CREATE TRIGGER dead_letters_raw BEFORE UPDATE OF letter_id, source_id, payload_id, run_id, scope, position, records, raw,
  raw_sha256, context_json, created_at_us ON dead_letters
BEGIN
  SELECT RAISE(ABORT, 'the bytes of a dead letter and where they came from never change');
END;
-- INSERT OR REPLACE deletes without asking a DELETE trigger, so these guard against it.
CREATE TRIGGER dead_letters_number BEFORE INSERT ON dead_letters
WHEN EXISTS (SELECT 1 FROM dead_letters WHERE letter_id = NEW.letter_id)
BEGIN
  SELECT RAISE(ABORT, 'a dead letter is never replaced');
END;
CREATE TRIGGER dead_letters_once BEFORE INSERT ON dead_letters
WHEN EXISTS (SELECT 1 FROM dead_letters
              WHERE payload_id = NEW.payload_id AND scope = NEW.scope AND position = NEW.position)
BEGIN
  SELECT RAISE(IGNORE);
END;

CREATE TABLE audit_events (
  sequence      INTEGER PRIMARY KEY,            -- 1, 2, 3 ...; the change feed
  at_us         INTEGER NOT NULL,
  actor         TEXT    NOT NULL,               -- who: user name, or engine
  channel       TEXT    NOT NULL,               -- cli | console | engine | library
  event_type    TEXT    NOT NULL,
  entity_type   TEXT    NOT NULL,
  entity_id     TEXT    NOT NULL,
  old_state     TEXT,
  new_state     TEXT,
  metadata_json TEXT    NOT NULL DEFAULT '{}',
  prev_hash     TEXT    NOT NULL,               -- hash of the event before; 64 zeros for the first
  hash          TEXT    NOT NULL                -- SHA-256 of this event's canonical JSON, prev_hash included
) STRICT;
CREATE INDEX audit_events_by_entity ON audit_events (entity_type, entity_id, sequence);
CREATE INDEX audit_events_by_type ON audit_events (event_type, sequence);

CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events WHERE sequence = NEW.sequence)
BEGIN
  SELECT RAISE(ABORT, 'audit events are append-only');
END;
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN
  SELECT RAISE(ABORT, 'audit events are append-only');
END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN
  SELECT RAISE(ABORT, 'audit events are append-only');
END;

-- Readers' views: names and ISO times for anyone with sqlite3 or a browser for it. A run is visible when its last
-- chunk has committed: until then its rows are hidden and the versions it replaced still show.
CREATE VIEW market_data_visible AS
  SELECT source_id, symbol_id, timestamp_us, interval_s, price, volume, open, high, low, vwap, trade_count,
         volume_kind, run_id, position
    FROM market_data WHERE run_id NOT IN (SELECT run_id FROM runs WHERE state = 'running')
  UNION ALL
  SELECT source_id, symbol_id, timestamp_us, interval_s, price, volume, open, high, low, vwap, trade_count,
         volume_kind, run_id, position
    FROM market_revisions WHERE superseded_by IN (SELECT run_id FROM runs WHERE state = 'running');
CREATE VIEW trade_data_visible AS
  SELECT source_id, client_id, trade_id, symbol_id, timestamp_us, side, quantity, price, venue, exec_type,
         ref_trade_id, run_id, position
    FROM trade_data WHERE run_id NOT IN (SELECT run_id FROM runs WHERE state = 'running')
  UNION ALL
  SELECT source_id, client_id, trade_id, symbol_id, timestamp_us, side, quantity, price, venue, exec_type,
         ref_trade_id, run_id, position
    FROM trade_revisions WHERE superseded_by IN (SELECT run_id FROM runs WHERE state = 'running');

CREATE VIEW market_data_view AS
  SELECT s.name AS source, y.symbol,
         strftime('%Y-%m-%dT%H:%M:%S', m.timestamp_us / 1000000, 'unixepoch')
           || printf('.%06dZ', m.timestamp_us % 1000000) AS timestamp,
         m.interval_s, m.price, m.volume, m.open, m.high, m.low, m.vwap, m.trade_count, m.volume_kind,
         m.run_id, m.position
    FROM market_data_visible m JOIN sources s USING (source_id) JOIN symbols y USING (symbol_id);
CREATE VIEW trade_data_view AS
  SELECT s.name AS source, t.client_id, t.trade_id, y.symbol,
         strftime('%Y-%m-%dT%H:%M:%S', t.timestamp_us / 1000000, 'unixepoch')
           || printf('.%06dZ', t.timestamp_us % 1000000) AS timestamp,
         t.side, t.quantity, t.price, t.venue, t.exec_type, t.ref_trade_id, t.run_id, t.position
    FROM trade_data_visible t JOIN sources s USING (source_id) JOIN symbols y USING (symbol_id);
CREATE VIEW runs_view AS
  SELECT r.run_id, s.name AS source, r.kind, r.state, p.object_name, p.sha256,
         strftime('%Y-%m-%dT%H:%M:%SZ', r.started_at_us / 1000000, 'unixepoch') AS started_at,
         strftime('%Y-%m-%dT%H:%M:%SZ', r.finished_at_us / 1000000, 'unixepoch') AS finished_at,
         r.rows_read, r.inserted, r.unchanged, r.corrected, r.rejected, r.duplicate, r.skipped, r.reasons_json
    FROM runs r JOIN sources s USING (source_id) JOIN payloads p USING (payload_id);
CREATE VIEW dead_letters_view AS
  SELECT d.letter_id, s.name AS source, d.state, d.scope, d.position, d.code, d.reasons_json, p.object_name,
         p.sha256 AS payload_sha256, d.attempts,
         strftime('%Y-%m-%dT%H:%M:%SZ', d.created_at_us / 1000000, 'unixepoch') AS created_at
    FROM dead_letters d JOIN sources s USING (source_id) JOIN payloads p USING (payload_id);
CREATE VIEW audit_events_view AS
  SELECT sequence, strftime('%Y-%m-%dT%H:%M:%SZ', at_us / 1000000, 'unixepoch') AS at, actor, channel, event_type,
         entity_type, entity_id, old_state, new_state, metadata_json, hash
    FROM audit_events;
