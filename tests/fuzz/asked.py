"""Make requests to the sandbox from a seed: paths, parameters, headers and bodies, right, nearly right and hostile."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "HACK")
# {D}, {C}, {P}, {S}: a database, collection, profile, subprofile; mostly one that is there.
CALLS = (
    "GET databases", "POST databases", "GET identity", "GET consumption", "POST imports", "POST imports", "GET import/{S}",
    "GET database/{D}", "PUT database/{D}", "POST database/{D}/copy", "GET database/{D}/fields", "POST database/{D}/fields",
    "PUT database/{D}/field/{S}", "DELETE database/{D}/field/{S}", "GET database/{D}/collections",
    "POST database/{D}/collections", "GET database/{D}/interests", "POST database/{D}/interests",
    *["GET database/{D}/profiles"] * 5, *["POST database/{D}/profiles"] * 3, *["PUT database/{D}/profiles"] * 5,
    "DELETE database/{D}/profiles", "GET database/{D}/profileids", "GET collection/{C}", "PUT collection/{C}",
    "GET collection/{C}/fields", "POST collection/{C}/fields", "PUT collection/{C}/field/{S}",
    *["GET collection/{C}/subprofiles"] * 3, "PUT collection/{C}/subprofiles", "GET collection/{C}/subprofileids",
    "PUT interest/{S}", "DELETE interest/{S}", "GET profile/{P}", "PUT profile/{P}", "PUT profile/{P}", "DELETE profile/{P}",
    "GET profile/{P}/fields", "PUT profile/{P}/fields", "GET profile/{P}/interests", "POST profile/{P}/interests",
    "PUT profile/{P}/interests", "GET profile/{P}/subprofiles/{C}", "POST profile/{P}/subprofiles/{C}",
    "PUT profile/{P}/subprofiles/{C}", "GET profile/{P}/subprofiles", "GET subprofile/{S}", "PUT subprofile/{S}",
    "DELETE subprofile/{S}", "PUT subprofile/{S}/fields", "GET database/{D}/bogus", "GET nothing/{S}",
)  # fmt: skip
IDS = {
    "D": ("1",) * 30 + ("2", "Customers", "customers"), "C": ("1",) * 20 + ("2", "Orders", "orders"),
    "P": ("1", "1", "2", "2", "3") * 6, "S": ("1", "2", "3") * 8,
}  # fmt: skip
ODD_IDS = (
    "0", "", "-1", "+1", " 1", "1.0", "1e3", "\u00b2", "\u0663", "9" * 25, "9" * 5000, "\0", "%", "a b", "..", "\ud7ff",
    "\U0001f600", "'", "1;DROP", "x" * 300,
)  # fmt: skip
NAMES = (
    *["fields[]"] * 6, "fields", "fields[0]", "FIELDS[]", "fields[a][b]", "start", "limit", "limit", "total", "orderby",
    "order", "dataonly", "create", "create", "async", "begin", "end", "return", "LIMIT", "[", "[]", "a[", "]",
    "fields" + "[x]" * 80, "",
)  # fmt: skip
FIELDS = (
    *["CustNo", "Email", "City", "Tier", "Points", "Balance", "Born", "Since", "No", "Total", "Page"] * 2, "custno", "id",
    "code", "modified", "Nope", " City", "",
)  # fmt: skip
OPERATORS = (*["=="] * 6, "!=", "<>", "<", ">", "<=", ">=", "=~", "!~", "=", "===", "<=>", "~", "")
TEXTS = (
    "", " ", "1", "2", "0", "-1", "1e3", "1e999", "-1e999", "0x1f", "\u00b2", "9" * 30, "9" * 5000, ".", "true", "on", "YES",
    "no", "gold", "Gold", "Delft", "a@x.test", "2020-02-30", "2020-03-29 02:30:00", "0000-00-00", "now", "+9999999 years",
    "@99999999999999", "first day of", "last monday", "1 2 3 4", "%", "_", "%a" * 30, "_" * 300, "%_" * 200 + "b", "\0",
    "\u00a0", "\x1f", "\ufeff", "\U0001f600", "\ud800", "e\u0301", "ß", "İ", "'", '"', "\\", "\r\n", "<b>", "x" * 300,
    "y" * 70_000, "desc", "DESC", "random", "ids", "objects",
)  # fmt: skip
TYPES = (
    *["application/json"] * 12, *["application/x-www-form-urlencoded"] * 3, "", "text/plain", "APPLICATION/JSON;x",
    "multipart/form-data", ";",
)  # fmt: skip
KEYS = (
    "fields", "fields", "fields", "interests", "secret", "profiles", "name", "type", "value", "length", "index",
    "description", "options", "completely", "archived", "group", "database", "action", "keyFields", "source", "location",
    "format", "delimiter", "ignoreEmptyFields", "removeMissing", "deleteTarget", "followups", "rebuild", "autostart",
)  # fmt: skip
CSV = (
    "CustNo,City\n1,Ede\n", "CustNo\tCity\r\n'1'\t\"a\"\"b\"\r\n2\n", "'", "a,a\n1,2\n", "\n\n,,,\n", "\\",
    "CustNo;City\n1;2;3\n",
)  # fmt: skip
COLUMNS = (
    "CustNo", "City", "Tier", "Points", "Born", "Since", "Orders.No", "Orders.Total", "interest.news", "Nope", "",
)  # fmt: skip
BROKEN = (
    b"{", b"[" * 5000, b'{"a":' * 3000 + b"1" + b"}" * 3000, b"\xef\xbb\xbf{}", b"\xff\xfe", b"null", b"1e999", b"\0",
)  # fmt: skip
PAGES = (
    "", "show", "show/database/{D}", "show/collection/{C}", "show/profile/{P}", "show/imports", "show/journal",
    "show/switches", "show/{S}",
)  # fmt: skip
CONTROL = ("journal", "hazards", "faults", "switches", "clock", "contents/{D}", "imports", "nope")


@dataclass(frozen=True)
class Question:
    """One request, as it is sent."""

    method: str
    path: str
    kind: str
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path[:300]} ({self.kind or 'no type'}) {self.body[:300]!r}"


def question_of(random: Random) -> Question:
    """Make one request; mostly to the API, sometimes to the pages and the control calls."""
    place = random.random()
    if place < 0.06:
        path = _filled(random, random.choice(PAGES))
        query = _query(random, ("q", "field", "page", "page1", "only"))
        return Question(random.choice(("GET", "GET", "HEAD")), f"/{path}?{query}", "", b"")
    if place < 0.12:
        path = _filled(random, random.choice(CONTROL))
        # A fault would hide what is looked for.
        method = random.choice(("GET", "GET", "PUT", "POST", "DELETE")) if path != "faults" else "GET"
        return Question(method, f"/_sandbox/{path}", "application/json", _control(random))
    if place < 0.24:
        return _plain_write(random)
    method, path = random.choice(CALLS).split(" ")
    path = _filled(random, path)
    if random.random() < 0.08:
        method = random.choice(METHODS)
    version = random.choice((*["v4/", "v3/"] * 5, "v2/", "v1/", "", "v5/", "V4/"))
    path = f"/{version}{path}{random.choice(('', '', '', '', '/', '//', '/x/y'))}"
    kind = random.choice(TYPES)
    return Question(method, f"{path}?{_query(random, NAMES)}", kind, _body(random, kind, path, method))


def _plain_write(random: Random) -> Question:
    """Write texts into the text fields of one profile, without parameters: where that is no hazard its effect is known."""
    method, path = random.choice(
        (("POST", "database/1/profiles"), ("PUT", "profile/{P}"), ("PUT", "profile/{P}/fields"))
    )
    fields = {
        name: random.choice(TEXTS) for name in random.sample(("CustNo", "Email", "City", "Tier"), random.randint(1, 3))
    }
    body = fields if path.endswith("/fields") else {"fields": fields}
    path = f"/{random.choice(('v3', 'v4'))}/{path.format(P=random.choice('123'))}?"
    return Question(method, path, "application/json", json.dumps(body).encode())


def _filled(random: Random, path: str) -> str:
    """Put ids into a path, one in twenty an odd one."""
    ids = {name: random.choice(ODD_IDS if random.random() < 0.05 else some) for name, some in IDS.items()}
    return path.format(**{name: quote(one, safe="") for name, one in ids.items()})


def _query(random: Random, names: tuple[str, ...]) -> str:
    pairs = []
    for _ in range(random.choice((0, 0, 1, 1, 1, 2, 3, 30))):
        name = random.choice(names)
        text = random.choice(TEXTS)
        if name.lower().startswith("fields"):
            text = random.choice(FIELDS) + random.choice(OPERATORS) + text
        # A request line has its limits, too.
        pairs.append(f"{quote(name, safe='[]')}={_quoted(text[:1500])}")
    return "&".join(pairs)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"))


def _control(random: Random) -> bytes:
    wanted: Any = {
        random.choice(("advance_s", "now", "frozen", "several_matches", "lookups_drop", "x")): _value(random, 2)
    }
    return json.dumps(wanted).encode() if random.random() < 0.8 else random.choice((b"", b"[", b"\xff", b"[" * 3000))


def _body(random: Random, kind: str, path: str, method: str) -> bytes:
    way = random.random()
    if way < 0.1 or (method == "GET" and way < 0.9):
        return b""
    if way < 0.18:
        return random.choice((*BROKEN, random.randbytes(50)))
    if kind.startswith("application/x-www"):
        return _query(random, (*NAMES, *KEYS, "fields[City]", "keyFields[]", "source[0][City]", "interests[]")).encode()
    if path.rstrip("/").endswith("imports"):
        return json.dumps(_import(random)).encode()
    if random.random() < 0.4:
        wanted: Any = {"fields": _fields(random)}
    elif random.random() < 0.4:
        wanted = _fields(random)
    else:
        wanted = {random.choice(KEYS): _value(random, 3) for _ in range(random.randint(0, 4))}
    return json.dumps(wanted).encode()


def _fields(random: Random) -> dict[str, Any]:
    return {random.choice(FIELDS): _value(random, 2) for _ in range(random.randint(0, 5))}


def _import(random: Random) -> dict[str, Any]:
    columns = random.sample(COLUMNS, 4)
    rows: Any = [{name: _value(random, 1) for name in columns} for _ in range(random.choice((0, 1, 3, 40)))]
    if random.random() < 0.2:
        rows = random.choice((*CSV, "[]", '[{"City":"x"}]', {}, None, 7, [1], [[]], {"0": {"City": "x"}}))
    databases = (*[1] * 8, "1", 2, "Customers", None, "\u00b2", 10**30)
    actions = ("add", "update", "update or add", "update or add", "ignore or add", "delete", "x", None, [])
    keys = (["CustNo"], ["CustNo", "Orders.No"], "CustNo", {"0": "CustNo"}, None, [None], ["Tier"])
    wanted = {
        "database": random.choice(databases),
        "action": random.choice(actions),
        "keyFields": random.choice(keys),
        "source": rows,
    }
    for name in random.sample(KEYS, 3):
        wanted.setdefault(name, _value(random, 1))
    return wanted


def _value(random: Random, depth: int) -> Any:
    way = random.random()
    if way < 0.65 or depth == 0:
        return random.choice(TEXTS)
    if way < 0.85:
        return random.choice((0, 1, -1, 2.5, 1e308, 10**30, True, False, None))
    if way < 0.93:
        return [_value(random, depth - 1) for _ in range(random.randint(0, 3))]
    return {random.choice((*FIELDS, "0", "1")): _value(random, depth - 1) for _ in range(random.randint(0, 3))}
