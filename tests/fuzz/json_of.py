"""Make JSON of odd shapes, as text: deep, huge, doubled, no JSON at all."""

from __future__ import annotations

import json
from random import Random

KEYS = (
    "a",
    "b",
    "c",
    "L",
    "L.x",
    "x",
    "y",
    "a.b",
    "",
    " ",
    "é",
    "😀",
    "_raw",
    "_line",
    "_record",
    "\\u0061",
    "\\ud800",
)
SCALARS = (
    "1", "-0", "1.10", "1e5", "1E+400", "-1e-400", "123456789012345678901234567890", "0.1" + "0" * 300, "true", "false", "null",
    '""', '"x"', '" x "', '"é😀"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\u0000"', '"\\n\\t"', '"a\\/b"', '"1.0"', '"2024-01-31"',
    '"2024-02-30"', '"yes"', '"' + "x" * 300 + '"', '"' + "\\u00e9" * 40 + '"', "NaN", "Infinity", "-Infinity", "01", "1.",
    ".5", "+1",
    "0x10", "nul", "True", "'x'", '"\t"', '"\x7f"', "9" * 5000, "-", "", "[]", "{}", '"NULL"', '"12,5"', '"true"',
)  # fmt: skip


def value(random: Random, depth: int = 0) -> str:
    """Write some value, rarely a correct one."""
    kind = random.randrange(400)
    if kind == 0 and depth < 4:
        return "[" + ",".join(value(random, depth + 1) for _ in range(random.randrange(4))) + "]"
    if kind == 1 and depth < 4:
        return record(random, depth + 1)
    if kind == 2 and depth <= 1:
        deep = random.choice((10, 900, 1100, 20_000))
        return random.choice(('{"a":' * deep + "1" + "}" * deep, "[" * deep + "]" * deep, "[" * deep))
    if random.random() < 0.5:
        return json.dumps(random.choice(("1", "Ede", "é", "", "2024-01-31", "12.50", "O 1")), ensure_ascii=False)
    return random.choice(SCALARS)


def record(random: Random, depth: int = 0) -> str:
    """Write an object, with keys twice now and then."""
    kind = random.random()
    if depth == 0 and kind < 0.75:
        keys = ["a", "b", "c"]
        random.shuffle(keys)
    elif depth == 0 and kind < 0.98:
        items = ",".join(f'{{"x":"{at}","y":{value(random, 3)}}}' for at in range(random.randrange(4)))
        lists = random.choice((f"[{items}]", f"[{items}]", f"[{items}]", "null", "[]", items or "{}"))
        return f'{{"a":"{random.randrange(5)}","L":{lists}}}' if lists[0] in "[n" or items.count("{") < 2 else "{}"
    else:
        keys = random.choices(KEYS, k=random.randrange(5))
    blank = random.choice(("", "", " ", "\t", " \n" if depth else "")) if random.random() < 0.3 else ""
    pairs = (f'{blank}"{key}"{blank}:{blank}{value(random, depth + 1)}{blank}' for key in keys)
    return "{" + ",".join(pairs) + "}"


def dump(random: Random, *, lines: bool) -> bytes:
    """Write a dump of such objects, as lines or as one array."""
    rows = [record(random) if random.random() < 0.9 else value(random) for _ in range(random.choice((0, 1, 3, 12, 40)))]
    if random.random() < 0.02:
        rows = ['{"a":"1","b":"2","c":null}'] * 3000 + rows
    if lines:
        end = random.choice(("\n", "\r\n"))
        text = end.join(row.replace("\n", " ") for row in rows) + random.choice((end, "", end * 3))
    else:
        between = random.choice((",", ",\n", " , ", "\n,\n"))
        text = (
            random.choice(("", "\n", "  "))
            + "["
            + between.join(rows)
            + random.choice(("]", "\n]\n") * 8 + ("]]", ",]", ""))
        )
    return text.encode("utf-8", "surrogatepass")
