"""Make the tables of the ledger, or bring those of an older format up to date (edge: SQLite)."""

from __future__ import annotations

from pipeline.state.chunk_records import TABLES as CHUNK_TABLES
from pipeline.state.database import SharedDatabase
from pipeline.state.refused import TABLES as REFUSED_TABLES
from pipeline.state.row_records import TABLES as OPERATION_TABLES

SCHEMA_VERSION = 4
# Made where it is missing, whatever the format: a ledger without it has no undone run.
UNDONE_TABLE = "CREATE TABLE IF NOT EXISTS undone (undo TEXT PRIMARY KEY, run TEXT NOT NULL) STRICT, WITHOUT ROWID"
TABLES = """
CREATE TABLE run (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, job_file TEXT NOT NULL, job_copy TEXT NOT NULL, state TEXT NOT NULL,
    started_at TEXT NOT NULL, ended_at TEXT, api_host TEXT NOT NULL, account TEXT NOT NULL, database_id INTEGER NOT NULL,
    structure TEXT NOT NULL, way TEXT NOT NULL, fell_back TEXT,
    limit_rows INTEGER, own_files INTEGER NOT NULL, forced TEXT NOT NULL, accepted INTEGER, summary TEXT,
    is_open INTEGER NOT NULL DEFAULT 0, number INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX run_of_job ON run (job, started_at);
CREATE INDEX numbered_run ON run (number);
CREATE INDEX numbered_run_of_job ON run (job, number);
CREATE INDEX open_run ON run (number) WHERE is_open;
CREATE INDEX going_run ON run (job) WHERE state = 'running';
CREATE TABLE file (
    run TEXT NOT NULL REFERENCES run, position INTEGER NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL,
    bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT, good INTEGER, PRIMARY KEY (run, position)
) STRICT;
CREATE INDEX file_content ON file (sha256);
CREATE TABLE confirmed_content (job TEXT NOT NULL, sha256 TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (job, sha256))
    STRICT, WITHOUT ROWID;
"""
# From format 2: history stays; runs that were unfinished in it cannot be resumed, and their chunks go.
MIGRATE_2 = """
ALTER TABLE run ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;
UPDATE run SET state = 'incomplete' WHERE state IN ('running', 'interrupted', 'closed');
CREATE INDEX going_run ON run (job) WHERE state = 'running';
ALTER TABLE file ADD COLUMN good INTEGER;
CREATE TABLE IF NOT EXISTS confirmed_content (
    job TEXT NOT NULL, sha256 TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (job, sha256)
) STRICT, WITHOUT ROWID;
DROP TABLE IF EXISTS look;
DROP TABLE IF EXISTS chunk;
DROP TABLE IF EXISTS operation;
"""
# From format 3: the order of runs does not depend on the clock.
MIGRATE_3 = """
ALTER TABLE run ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE run SET number = (SELECT count(*) FROM run AS other WHERE (other.started_at, other.id) <= (run.started_at, run.id));
CREATE INDEX numbered_run ON run (number);
CREATE INDEX numbered_run_of_job ON run (job, number);
DROP INDEX IF EXISTS open_run;
CREATE INDEX open_run ON run (number) WHERE is_open;
"""


def bring_up_to_date(db: SharedDatabase) -> int:
    """Make what is missing, inside a transaction; returns the format that was found, which may be one that is not known."""
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    newest = f"{CHUNK_TABLES}{OPERATION_TABLES}{REFUSED_TABLES}"
    steps = {
        0: f"{TABLES}{newest}",
        2: f"{MIGRATE_2}{MIGRATE_3}{newest}",
        3: f"{MIGRATE_3}{REFUSED_TABLES}",
        SCHEMA_VERSION: "",
    }
    if found == 2 and not _has(db, "run"):
        steps[2] = steps[0]
    if found in steps:
        for statement in f"{steps[found]}{UNDONE_TABLE}".split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        return SCHEMA_VERSION
    return found


def _has(db: SharedDatabase, table: str) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None
