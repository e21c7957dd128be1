"""Write job files: the smallest one as text, and any other as changes to a job."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

SMALLEST = """\
job: customers
source:
  files: [a.csv]
  delimiter: ","
schema: customers.py:Customers
target:
  api: v4
  database: Customers
  action: update or add
  key_fields: [CustomerID]
  ignore_empty_fields: true
  followups: false
  rebuild: true
load:
  mode: imports
"""


def job_text(job: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> str:
    """Return a job file: `job` with `changes` by dotted key (`{"target.action": "add"}`); None takes a key away.

    One line for each part, in flow style: YAML 1.2 holds JSON.
    """
    whole = changed(job, changes or {})
    return "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in whole.items())


def changed(job: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `job` with `changes` by dotted key."""
    whole: dict[str, Any] = copy.deepcopy(dict(job))
    for path, value in changes.items():
        *parents, name = path.split(".")
        part = whole
        for parent in parents:
            part = part.setdefault(parent, {})
        if value is None:
            part.pop(name, None)
        else:
            part[name] = value
    return whole
