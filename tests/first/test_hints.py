"""What a person should know of the values is said by `validate` and `run`, too, and no advice is to force what is all wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.config.editor import editor_schema
from pipeline.config.problems import REQUIRED, SECTIONS
from pipeline.model.job import OF_READER
from tests.first.test_check import JOB, SCHEMA
from tests.support.command import Ran, call


def validated(folder: Path, rows: str | bytes, *words: str) -> Ran:
    (folder / "schema.py").write_text(SCHEMA)
    (folder / "job.yaml").write_text(JOB)
    content = rows.encode() if isinstance(rows, str) else rows
    (folder / "dump.csv").write_bytes(b"CustomerID,City,Born\n" + content)
    return call("validate", folder / "job.yaml", *words)


def logged(ran: Ran) -> list[dict[str, Any]]:
    """Return the events about values."""
    lines = [json.loads(line) for line in ran.stderr.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "values.look_wrong"]


def test_texts_that_look_like_a_null_are_counted(tmp_path: Path) -> None:
    """In the log, with the first place."""
    ran = validated(tmp_path, "".join(f"{at},NULL,\n" for at in range(5)))
    assert ran.exit_code == 0
    (event,) = logged(ran)
    assert event["what"] == "5 cells of City hold the text 'NULL', which will be sent as it stands"
    assert event["where"] == "City, first in dump.csv, line 2"


def test_a_null_value_of_the_job_is_no_warning(tmp_path: Path) -> None:
    """It is empty then."""
    ran = validated(tmp_path, "".join(f"{at},NULL,\n" for at in range(5)), "--set", "source.null_values=[NULL]")
    assert (ran.exit_code, logged(ran)) == (0, [])


def test_all_rows_bad_advises_the_form_and_never_to_force(tmp_path: Path) -> None:
    """Every date is wrong in the same way: the problem says in which."""
    ran = validated(
        tmp_path, "".join(f"{at},Ede,{at + 10}-03-1990\n" for at in range(9)), "--set", "guards.max_rejects=1%"
    )
    assert ran.exit_code == 4
    problems = ran.document["problems"]
    assert not any("--force" in problem["do"] for problem in problems)
    assert "seem to be dates of the form %d-%m-%Y" in problems[-1]["what"]


def test_the_editor_schema_has_every_key_of_the_job_file() -> None:
    """Unknown keys are marked, and those without a default asked for."""
    schema = editor_schema()
    for path, model in SECTIONS.items():
        node: dict[str, Any] = schema
        for name in path:
            node = _resolved(schema, node["properties"][name])
        names = {field.alias or name for name, field in model.model_fields.items()} - set(OF_READER)
        assert set(node["properties"]) == names, path
        assert node["additionalProperties"] is False
        required = {key[-1] for key in REQUIRED if key[:-1] == path}
        assert required <= set(node.get("required", ())), path


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node or "anyOf" in node:
        node = node["anyOf"][0] if "anyOf" in node else schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node
