"""Dumps as strange programs write them, for `init`."""

from __future__ import annotations

import json

DUTCH_NAMES = ("José Müller", "Zoë van 't Hof", "Daniël de Bruïn", "Jan Jansen", "Anouk; Bakker", "François Crêpe")


def dutch() -> bytes:
    """Return customers in Latin-1 with semicolons, decimal commas and Dutch dates; a name holds the delimiter."""
    lines = ["klantnr;naam;woonplaats;saldo;geboren;ingeschreven"]
    for at in range(1, 201):
        name = DUTCH_NAMES[at % len(DUTCH_NAMES)]
        name = f'"{name}"' if ";" in name else name
        born = f"{at % 28 + 1:02d}-{at % 12 + 1:02d}-{1940 + at % 60}"
        lines.append(
            f"{at:05d};{name};'s-Hertogenbosch;1.{at:03d},{at % 90 + 10};{born};{at % 28 + 1:02d}-03-2025 10:{at % 60:02d}"
        )
    return ("\r\n".join(lines) + "\r\n").encode("iso-8859-1")


def mysql() -> bytes:
    r"""Return customers as MySQL's INTO OUTFILE writes them: `\N` for null, backslashes before quotes and line ends."""
    lines = ['"id","name","note","created_at","balance"']
    for at in range(1, 101):
        name = 'Piet \\"P\\" Puk' if at % 3 else "Kees"
        note = "\\N" if at % 4 else '"one\\\ntwo, three"'
        balance = "\\N" if at % 5 == 0 else f'"{at}.50"'
        lines.append(f'"{at}","{name}",{note},"2025-01-{at % 28 + 1:02d} 10:00:00",{balance}')
    return ("\n".join(lines) + "\n").encode()


def nested() -> bytes:
    """Return customers as JSON with two lists, orders and visits, and interests."""
    people = []
    for at in range(1, 41):
        orders = [{"order_no": f"O{at}-{number}", "total": number * 2.5, "placed": "2025-03-04 10:00:00"}
                  for number in range(at % 3)]  # fmt: skip
        visits = [{"visit_no": f"V{at}-{number}", "page": "/home"} for number in range(at % 2)]
        people.append({"customer_no": f"{at:04d}", "email": f"anna{at}@shop.test", "address": {"city": "Ede"},
                       "interests": {"news": at % 2 == 0}, "orders": orders, "visits": visits})  # fmt: skip
    return json.dumps(people, indent=1).encode()
