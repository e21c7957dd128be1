"""Show the words of the API without what they may quote: words of its own vocabulary only, and a digest of the rest (pure)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection

# Words of the API's documented and observed messages (API sheet 4.2, 11, 18) and of load balancers. A customer's name or
# address is not among them; whatever is not here is left out.
_VOCABULARY = frozenset(
    """
    a access account action actions add address after again all allowed already an and another any api approved are
    array as at authenticate authorised authorized authorization available backend bad balancer been before being
    below body boolean but by cannot code collection column columns connection contain contains could create created
    data database date datetime default delete denied did directory disabled disk does down due duplicate element
    empty enough entity error errors exceeded exist exists expected expired failed failure fatal field fields file
    files filled first float for forbidden format found from full gateway get given has have header held hold hour
    html http id identifier if ignored import imports in index input insufficient integer interest interests internal
    interrupted into invalid is it item json key keyfields keys large later length limit line lines list load
    loadbalancer locked login long lost maintenance many match max maximum memory message method methods minute
    missing more must name no not null number object of offline on once only operation option or out overload
    overloaded parameter parameters parse path per permission permitted please post problem process processed profile
    profiles property proxy put query quota rate read record records refused removed request requests required
    requires resource response restricted retry right rights row rows same second server service set size slow small
    some source start started status stopped string subprofile subprofiles such supplied support supported system
    table technical temporarily temporary text than that the there these this time timeout timed to token too try type
    unable unauthorized unavailable unexpected unique unknown unsupported update upstream url use used user valid
    value values version was went were while with without wrong you your
    """.split()  # noqa: SIM905 - a list of so many words would be one line
)
_WORD = re.compile(r"[A-Za-z]+|[^A-Za-z\s]+|\s+")
_PLAIN = re.compile(r"[\s.,;:!?()'\"/-]+")


def public(words: str, names: Collection[str] = ()) -> str:
    """Return the words with everything but the API's own vocabulary as "…", and where something went a digest of them all.

    `names` are those of fields and the like, in lower case, which are no customer's.

    The digest finds the whole text in the run's ledger or failed.csv, the only places where it stands.
    """
    shown = re.sub(r"…(?:[\s.,;:!?()'\"/-]*…)+", "…", "".join(_kept(part, names) for part in _WORD.findall(words)))
    if shown == words:
        return words
    return f"{shown.strip()} [{hashlib.sha256(words.encode()).hexdigest()[:8]}]"


def _kept(part: str, names: Collection[str]) -> str:
    return part if part.lower() in _VOCABULARY or part.lower() in names or _PLAIN.fullmatch(part) else "…"
