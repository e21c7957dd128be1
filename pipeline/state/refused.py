"""Remember the rows that Copernica refused, so that they do not fail a whole chunk every night (edge: SQLite; data rule 26).

What is kept is a salted hash of a row's values, never a value.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pipeline.state.database import SharedDatabase

if TYPE_CHECKING:
    import polars as pl

TABLES = """
CREATE TABLE IF NOT EXISTS refused (job TEXT NOT NULL, hash INTEGER NOT NULL, run TEXT NOT NULL, PRIMARY KEY (job, hash))
    STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused_salt (salt INTEGER NOT NULL) STRICT;
"""

# More refused rows of one run are not remembered: it is not single rows then.
MOST_REFUSED = 10_000


class Refused:
    """The refused rows of one job; they are forgotten with the run that saw them last."""

    def __init__(self, db: SharedDatabase, job: str) -> None:
        self._db, self._job = db, job

    @property
    def salt(self) -> int:
        """Return the salt of the hashes."""
        found = self._db.execute("SELECT salt FROM refused_salt").fetchone()
        if found is None:
            self._db.execute("INSERT INTO refused_salt SELECT ? WHERE NOT EXISTS (SELECT 1 FROM refused_salt)",
                             (secrets.randbits(62),))  # fmt: skip
            return self.salt
        return int(found[0])

    def hashes(self) -> pl.Series:
        """Return the hashes (UInt64) of the rows."""
        import polars as pl  # here, since `runs` and `status` open the ledger without it

        found = self._db.execute("SELECT hash FROM refused WHERE job = ?", (self._job,))
        return pl.Series("_hash", [one for (one,) in found], dtype=pl.Int64).reinterpret(signed=False)

    def remember(self, run: str, refused: pl.Series, accepted: pl.Series) -> None:
        """Add the hashes of rows that a run was refused, and drop those of rows that were accepted after all."""
        with self._db.transaction():
            self._db.executemany(
                "DELETE FROM refused WHERE job = ? AND hash = ?",
                [(self._job, one) for one in accepted.reinterpret(signed=True)],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO refused VALUES (?,?,?)",
                [(self._job, one, run) for one in refused.head(MOST_REFUSED).reinterpret(signed=True)],
            )
