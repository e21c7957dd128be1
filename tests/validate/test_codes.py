"""The catalogue of reject codes explains each; that all are used, and no other, the runs over the sample data show."""

from __future__ import annotations

import re

import pytest

from pipeline.model.codes import CODES, FAILED_CODES


@pytest.mark.parametrize("name", [*CODES, *FAILED_CODES])
def test_every_code_is_explained(name):
    """Title, explanation and advice are there."""
    code = {**CODES, **FAILED_CODES}[name]
    assert re.fullmatch("[a-z]+(_[a-z]+)*", name)
    assert code.title
    assert code.explanation.endswith(".")
    assert code.advice.endswith(".")


def test_no_title_is_there_twice():
    """Tables name codes by their titles."""
    assert len({code.title for code in CODES.values()}) == len(CODES)
