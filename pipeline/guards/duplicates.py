"""Find the keys of a run that occur more than once in a whole database, in bounded memory (edge: API client, files)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import polars as pl

from pipeline.copernica import Profile
from pipeline.guards.sending import Sending
from pipeline.stage.partitions import Partitions, paired
from pipeline.validate.keys import fold, hashed

# Hashes are spread over so many files, of which one is in memory at a time: 16 bytes a profile.
_PARTITIONS = 64
_BATCH_ROWS = 50_000


@dataclass(frozen=True)
class Doubles:
    """How many keys occur more than once, and the ids of the profiles that have the first of them."""

    keys: int
    first: tuple[int, ...]


def doubles(sending: Sending) -> Doubles:
    """Page the database once, and count the staged keys that more than one profile has (maybe the same, data rule 15).

    Hashes of keys lie on disk meanwhile, beside the staged rows.
    """
    folder, names = sending.folder / "unique", sending.keys.profile
    live = Partitions(folder / "live", _PARTITIONS)
    profiles = sending.client.profiles(sending.database, data_only=True)
    for batch in iter(lambda: list(islice(profiles, _BATCH_ROWS)), []):
        live.add(_hashes(batch, names))
    ours = Partitions(folder / "ours", _PARTITIONS)
    for frame in sending.profile_keys():
        ours.add(frame.select("_key"))
    found = Doubles(0, ())
    for there, here in paired(live, ours):
        if there is None or here is None:
            continue
        doubled = there.filter(pl.col("_key").is_duplicated()).join(here, on="_key", how="semi")
        if doubled.height:
            of_first = doubled.filter(pl.col("_key") == doubled["_key"][0])["_id"].to_list()
            found = Doubles(found.keys + doubled["_key"].n_unique(), found.first or tuple(of_first))
    return found


def _hashes(profiles: list[Profile], names: tuple[str, ...]) -> pl.DataFrame:
    """Hash the keys of profiles as those of staged rows are."""
    texts = [fold(pl.Series([one.fields.get(name, "") for one in profiles], dtype=pl.String)) for name in names]
    ids = pl.Series("_id", [one.id for one in profiles], dtype=pl.UInt64)
    return pl.DataFrame([hashed(texts).alias("_key"), ids])
