-- Sessions of exchanges: generated ones that take the place of those shipped with the package, and overrides over both.

CREATE TABLE sessions (
  version_id    INTEGER PRIMARY KEY AUTOINCREMENT,  -- the newest of a calendar is in force, unless the package reaches further
  calendar      TEXT    NOT NULL,               -- name, e.g. XNYS or 24/7
  version       TEXT    NOT NULL,               -- SHA-256 of its sessions, without overrides
  first_day     TEXT    NOT NULL,               -- first date covered, ISO 8601
  last_day      TEXT    NOT NULL,               -- last date covered, ISO 8601
  session_count INTEGER NOT NULL,               -- trading days among them
  made_by       TEXT    NOT NULL,               -- generator and its version
  sessions_text TEXT    NOT NULL,               -- all of them, in the form of the shipped files
  reason        TEXT    NOT NULL,               -- why an operator applied it
  applied_at_us INTEGER NOT NULL                -- when it was applied
) STRICT;
CREATE INDEX sessions_by_calendar ON sessions (calendar, version_id);

CREATE TABLE session_overrides (
  override_id   INTEGER PRIMARY KEY AUTOINCREMENT,  -- of several on one date, the highest that stands is in force
  calendar      TEXT    NOT NULL,               -- name, e.g. XNYS
  session_date  TEXT    NOT NULL,               -- the exchange's date, ISO 8601
  open_us       INTEGER,                        -- NULL where the exchange is closed
  close_us      INTEGER,                        -- NULL where the exchange is closed
  break_start_us INTEGER,                       -- NULL where there is no break
  break_end_us  INTEGER,                        -- NULL where there is no break
  is_half_day   INTEGER NOT NULL CHECK (is_half_day IN (0, 1)),  -- shorter than the usual session
  reason        TEXT    NOT NULL,               -- why an operator laid it over
  created_at_us INTEGER NOT NULL,               -- when it was laid over
  undone_at_us  INTEGER,                        -- NULL while it stands
  CHECK ((open_us IS NULL) = (close_us IS NULL) AND (break_start_us IS NULL) = (break_end_us IS NULL)),
  CHECK (open_us IS NOT NULL OR break_start_us IS NULL)
) STRICT;
CREATE INDEX session_overrides_standing ON session_overrides (calendar, override_id) WHERE undone_at_us IS NULL;

-- A calendar that was once in force, and what was said about a date, stay as they were.
CREATE TRIGGER sessions_no_update BEFORE UPDATE ON sessions
BEGIN
  SELECT RAISE(ABORT, 'a version of a calendar never changes');
END;
CREATE TRIGGER sessions_no_delete BEFORE DELETE ON sessions
BEGIN
  SELECT RAISE(ABORT, 'a version of a calendar is never deleted');
END;
CREATE TRIGGER session_overrides_keep BEFORE UPDATE OF calendar, session_date, open_us, close_us, break_start_us,
  break_end_us, is_half_day, reason, created_at_us ON session_overrides
BEGIN
  SELECT RAISE(ABORT, 'an override never changes; undo it and lay another one over');
END;
CREATE TRIGGER session_overrides_no_delete BEFORE DELETE ON session_overrides
BEGIN
  SELECT RAISE(ABORT, 'an override is never deleted; undo is a mark');
END;
