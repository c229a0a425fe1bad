"""What a licence of weights lets one do, in five classes, by its name: which models may be chosen unasked.

It is no legal advice: the licence itself says what holds, and the class only whether it has to be read first.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

LicenceClass = Literal["free", "conditions", "non-commercial", "gated", "unknown"]
Allowed = Literal["free", "any"]
CLASSES: tuple[LicenceClass, ...] = get_args(LicenceClass)
ALLOWED: tuple[Allowed, ...] = get_args(Allowed)
_REFUSED = ("non-commercial", "gated")  # never chosen unasked

_FREE = {
    *("apache-2.0", "mit", "isc", "unlicense", "cc0-1.0", "zlib", "bsl-1.0", "wtfpl", "0bsd", "cc-by-4.0", "afl-3.0"),
    *("apache-license-2.0", "mit-license", "mit-0", "cc0", "cc-by-3.0", "cc-by-2.0", "bsd-license"),
    *("bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear"),
}
_GATED = re.compile(r"dinov3|llama|gemma")  # to be agreed to before anything is served, on terms of their own
_NON_COMMERCIAL = re.compile(r"(^|[^a-z])nc([^a-z]|$)|non-?commercial|no-commercial|research|evaluation|amlr")
_CONDITIONS = re.compile(
    r"^(a?gpl|lgpl|mpl|epl|eupl|osl|cc-by-sa|cc-by-nd|openrail|bigscience|creativeml|apple|cvnets|fastvit|mobileone|nvidia|proprietary|other)"
)


def licence_class(name: str) -> LicenceClass:
    """The class of a licence by its name, as the Hub or a package writes it; "unknown" where it says nothing."""
    plain = name.strip().lower().replace(" ", "-").replace("_", "-")
    if plain in _FREE:
        return "free"
    if _NON_COMMERCIAL.search(plain):
        return "non-commercial"
    if _GATED.search(plain):
        return "gated"
    return "conditions" if _CONDITIONS.match(plain) else "unknown"


def may_be_chosen(found: LicenceClass, allowed: str) -> bool:
    """Whether a model of this class may be taken where the user has named none."""
    return allowed == "any" or found not in _REFUSED


def meaning(found: str) -> str:
    """What a class comes to, in half a sentence."""
    return _MEANINGS[found]


_MEANINGS = {
    "free": "free to use, for business too",
    "conditions": "it has conditions of its own: read it before you use or share the model",
    "non-commercial": "no commercial use, of models made from it neither",
    "gated": "its terms have to be agreed to first, and hold for models made from it",
    "unknown": "nobody has said what it allows",
}
