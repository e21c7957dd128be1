"""Turn dump names into Copernica's, and find live fields that mean the same (pure)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from pipeline.model.columns import LiveField

# What a name means whatever its language; a compound that stands here is one thing.
_MEANINGS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "no", "nr", "num", "number", "nummer", "numero", "key", "code"),
    "email": ("email", "mail", "emailaddress", "emailadres", "mailadres", "mailaddress", "emailadresse", "courriel"),
    "name": ("name", "naam", "nom", "fullname", "volledigenaam"),
    "firstname": ("firstname", "voornaam", "vorname", "prenom", "givenname"),
    "lastname": ("lastname", "achternaam", "nachname", "surname", "familyname", "nomdefamille"),
    "city": ("city", "plaats", "woonplaats", "stad", "ort", "stadt", "ville", "town"),
    "postcode": ("postcode", "zip", "zipcode", "postalcode", "plz", "postleitzahl", "codepostal"),
    "street": ("street", "straat", "strasse", "rue", "address", "adres", "adresse"),
    "country": ("country", "land", "pays"),
    "birthday": ("birthday", "birthdate", "dateofbirth", "dob", "born", "geboren", "geboortedatum", "geburtsdatum",
                 "datenaissance"),
    "phone": ("phone", "telephone", "tel", "telefoon", "telefon", "telefoonnummer", "phonenumber", "telefonnummer"),
    "mobile": ("mobile", "mobiel", "gsm", "handy", "mobielnummer", "cell", "cellphone"),
    "customer": ("customer", "klant", "kunde", "kunden", "client", "relatie"),
    "order": ("order", "bestelling", "bestellung", "commande"),
    "gender": ("gender", "geslacht", "sex", "geschlecht"),
    "language": ("language", "taal", "sprache", "langue", "lang"),
    "company": ("company", "bedrijf", "firma", "companyname", "bedrijfsnaam", "societe", "organisation", "organization"),
    "amount": ("amount", "bedrag", "betrag", "montant"),
    "total": ("total", "totaal", "summe", "totalamount", "totaalbedrag"),
    "quantity": ("quantity", "qty", "aantal", "anzahl"),
    "price": ("price", "prijs", "preis", "prix"),
    "date": ("date", "datum", "day"),
    "balance": ("balance", "saldo"),
    "remarks": ("remarks", "remark", "opmerking", "opmerkingen", "note", "notes", "comment", "comments"),
    "news": ("news", "newsletter", "nieuwsbrief"),
}  # fmt: skip
_MEANS = {word: meaning for meaning, words in _MEANINGS.items() for word in words}
# Words that mean little: a name is compared with and without them.
_FILLERS = frozenset(
    {"at", "on", "op", "am", "the", "de", "is", "of", "date", "likes", "like", "wants", "optin", "interest"}
)
# Names that Copernica refuses or has its own meaning for (API sheet 6, 13).
_TAKEN = {"id": "ExternalID", "code": "ExternalCode", "modified": "ModifiedAt"}
_ID_LIKE = re.compile(
    r"(?:^|[^a-z])(?:id|no|nr|number|nummer|num|key|code|sku|ean|gtin|guid|uuid|plz|zip|zipcode|postcode|postal_?code|iban)$"
    r"|(?:ID|Id|No|Nr|Number|Code|Key|Zip)$|(?:nummer|number|code|nr)$"
)


def meaning(name: str) -> tuple[str, ...]:
    """Return the words of a name in plain letters, each as what it means."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", plain)
    words = [part.lower() for part in parts]
    if whole := _MEANS.get("".join(words)):
        return (whole,)
    split = [found for word in words for found in _split(word)]
    return tuple(_MEANS.get(word, word) for word in split)


def _split(word: str) -> tuple[str, ...]:
    """Take `klantnummer` apart, where both halves are known."""
    if word in _MEANS:
        return (word,)
    for at in range(3, len(word) - 1):
        if word[:at] in _MEANS and word[at:] in _MEANS:
            return word[:at], word[at:]
    return (word,)


def is_id_like(name: str) -> bool:
    """Return whether a column is an identifier by its name: digits in it are no quantity."""
    return bool(_ID_LIKE.search(name.rpartition(".")[2]))


def likeness(column: str, target: str) -> int:
    """Return how surely a dump column means a live column, from 0 (not at all) to 100 (the same letters)."""
    if "." in column and "." in target and not target.startswith("interest."):
        return _nested(column, target)
    bare, field = _plain(column), _plain(target)
    if bare == field:
        return 100
    ours, (head, _, tail) = meaning(column), target.rpartition(".")
    theirs = meaning(tail)
    if ours == meaning(target) or (head and ours == (*_single(meaning(head)), *theirs)):
        return 95
    if ours == theirs:
        return 90 if not head else 80
    if _without(ours) and _without(ours) == _without(theirs):
        return 70 if not head else 60
    if head and _without(ours) in (_without((*meaning(head), *theirs)), _without((*_single(meaning(head)), *theirs))):
        return 65
    return 0


def _nested(column: str, target: str) -> int:
    """Compare a column of a list with a field of a collection: `orders.order_no` with `Order.OrderID`."""
    path, _, name = column.rpartition(".")
    collection, _, field = target.partition(".")
    ours, theirs = meaning(path), meaning(collection)
    if ours == theirs or _single(ours) == _single(theirs):
        alone = likeness(name, field)
        # order_no repeats the name of its list, or not: ID.
        return alone or (90 if likeness(name, target) or (*_single(theirs), *meaning(name)) == meaning(field) else 0)
    return 0


def _plain(name: str) -> str:
    return re.sub(r"[^0-9a-z]", "", unicodedata.normalize("NFKD", name).casefold())


def _without(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in _FILLERS)


def _single(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_MEANS.get(word.removesuffix("s"), word.removesuffix("s")) for word in words)


def match(columns: Iterable[str], live: Mapping[str, LiveField]) -> dict[str, str]:
    """Pair dump columns with live ones, the surest first, each once; columns without a likely partner are left out."""
    pairs = sorted(
        ((likeness(column, target), -at, -to, column, target)
         for at, column in enumerate(columns) for to, target in enumerate(live)),
        reverse=True,
    )  # fmt: skip
    found: dict[str, str] = {}
    for score, _, _, column, target in pairs:
        if score and column not in found and target not in found.values():
            found[column] = target
    return found


def field_name(path: str, taken: Collection[str] = ()) -> str:
    """Return a name that Copernica takes for a field: letters, digits and underscores, a letter first, none of its own."""
    plain = unicodedata.normalize("NFKD", path).encode("ascii", "ignore").decode()
    name = re.sub(r"_+", "_", re.sub(r"[^0-9A-Za-z]+", "_", plain)).strip("_") or "Field"
    name = _TAKEN.get(name.lower(), name if name[0].isalpha() else f"F_{name}")
    return _unused(name, taken)


def collection_name(path: str, taken: Collection[str] = ()) -> str:
    """Return a name that Copernica takes for a collection: letters and underscores only (API sheet 13)."""
    name = re.sub(r"_+", "_", re.sub(r"[^A-Za-z]+", "_", field_name(path))).strip("_") or "Items"
    return _unused("Items" if name.lower() == "interest" else name, taken)


def _unused(name: str, taken: Collection[str]) -> str:
    folded = {one.casefold() for one in taken}
    number = 2
    found = name
    while found.casefold() in folded:
        found, number = f"{name}_{'x' * (number - 1)}", number + 1
    return found


def job_name(file: str) -> str:
    """Return a job's name from a dump's: without its folder, extension and date."""
    stem = re.sub(r"(\.(gz|zst|bz2|xz|zip))?$", "", Path(file).name, flags=re.IGNORECASE)
    stem = re.sub(r"\.[A-Za-z]+$", "", stem)
    bare = re.sub(r"[-_. ]*(?:19|20)[0-9]{2}[-_.]?[0-9]{2}[-_.]?[0-9]{2}.*$", "", stem)
    bare = bare or Path(file).absolute().parent.name
    plain = unicodedata.normalize("NFKD", bare or stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")[:64]
    return name or "import"


def class_name(job: str) -> str:
    """Return the name of a job's schema class."""
    words = re.findall(r"[A-Za-z0-9]+", job)
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return name if name[:1].isalpha() else f"Dump{name}"
