"""Why a model answers as it does, of one input: what in it speaks for the answer, and what it looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.explain.drawing import as_png, drawn, in_characters
from headstart.explain.evidence import Evidence, Word
from headstart.explain.neighbours import Neighbour
from headstart.explain.page import page, snippet
from headstart.storage.place import reserve_place, write_text
from headstart.storage.places import as_json

MAP = "map.png"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """A prediction with what speaks for it; shown in a notebook, a picture."""

    prediction: Any  # as `Model.predict` gives it
    row: Mapping[str, Any]  # the same as JSON
    said: str  # the same in words
    target: str | None  # the class or label that is explained; None: the number, or the answer
    evidence: Evidence
    neighbours: tuple[Neighbour, ...]  # training examples that are like the input, the nearest first
    notes: tuple[str, ...] = ()

    @property
    def map(self) -> np.ndarray | None:
        """(h, w) float32 over the pixels of the photo, upright: 1 is where the most speaks for the target, below 0 is
        against it, 0 also where the model does not look. None: it is no photo."""
        return None if self.evidence.heat is None else self.evidence.heat.over(self.evidence.heat.size)

    @property
    def words(self) -> tuple[Word, ...] | None:
        """Of the text, or of both, in their order; what each adds to the target's log odds, to the number, or to the
        score of the answer. None: it is a photo."""
        return self.evidence.words

    def to_json(self, *, map: str | None = None) -> dict[str, Any]:
        """What `explain --json` prints; map: where the picture lies."""
        words = {} if self.words is None else {"words": [word.to_json() for word in self.words]}
        places = {} if self.evidence.heat is None else {"map": map}
        near = [neighbour.to_json() for neighbour in self.neighbours]
        result = {"prediction": dict(self.row), "target": self.target, **places, **words}
        return {**result, "neighbours": near, "notes": list(self.notes)}

    def save(self, folder: str | Path) -> Path:
        """Write explanation.html, explanation.json and of a photo map.png into a folder that is not there yet.

        Raises:
            OutputError: something is there, or nothing can be written there.
        """
        with reserve_place(Path(folder), force=None) as place:
            if place is None:
                raise TypeError("an explanation has a folder")
            place.write_new(self._write)
        return Path(folder)

    def _write(self, folder: Path) -> None:
        if self.evidence.heat is not None:
            (folder / MAP).write_bytes(as_png(drawn(self.evidence.heat)))
        write_text(folder / "explanation.json", as_json(self.to_json(map=MAP)))
        write_text(folder / "explanation.html", page(self))

    def _repr_html_(self) -> str:
        return snippet(self)

    def __repr__(self) -> str:
        """The prediction, and what speaks most for it."""
        if self.words is None:
            shown = "" if self.evidence.heat is None else in_characters(self.evidence.heat)
        else:
            most = sorted(self.words, key=lambda word: -word.weight)[:5]
            shown = ", ".join(f"{word.text} {word.weight:+.2f}" for word in most)
        return f"{self.prediction}\n{shown}"
