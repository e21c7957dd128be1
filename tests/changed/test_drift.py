"""Unchanged records that are not as they were confirmed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.changed.test_nights import CHANGED, night
from tests.support.journey import words_of
from tests.support.shop import Shop


def edit(shop: Shop, *rows: str) -> None:
    """Change records from another host, which knows nothing of what was confirmed here."""
    before = (shop.folder / "dump.csv").read_text()
    shop.dump(*rows)
    elsewhere = str(shop.folder / "elsewhere")
    words = words_of(("job=other",))
    assert shop.call("run", shop.job, *words, "--state-dir", elsewhere, COPERNICA_HOST_DIR=elsewhere).exit_code == 0
    shop.write("dump.csv", before)


def test_a_record_that_somebody_changed_is_sent_again(shop: Shop) -> None:
    """Data rule 43: its digest goes, that of the others stays."""
    shop.dump("1,Ede", "2,Tiel")
    night(shop)
    edit(shop, "2,Elsewhere")
    ran = shop.done(*CHANGED, "load.verify_sample=10")
    assert (ran.document["drifted"], ran.document["verify"]) == (1, {"checked": 2, "equal": 1, "different": 0})
    assert night(shop) == {"accepted": 2, "confirmed": 1, "unchanged": 1}
    assert shop.contents()[1]["fields"]["City"] == "Tiel"


def test_a_record_that_nobody_changed_sends_everything(shop: Shop) -> None:
    """Data rule 43: Copernica says it was not modified since, so what else is wrong is not known."""
    shop.dump("1,Ede", "2,Tiel")
    night(shop)
    shop.sandbox.set_clock(datetime.now(UTC) - timedelta(days=30))
    edit(shop, "2,Elsewhere")
    ran = shop.done(*CHANGED)
    assert ran.document["drifted"] == 1
    ran = shop.done(*CHANGED)
    assert ran.document["records"]["confirmed"] == 2
    assert "nobody has modified them" in ran.stderr
    assert night(shop)["unchanged"] == 2


def test_without_drift_it_is_zero_and_without_comparison_null(shop: Shop) -> None:
    """The summary tells the two apart."""
    shop.dump("1,Ede")
    assert shop.done(*CHANGED).document["drifted"] == 0
    assert shop.done().document["drifted"] is None
