"""The features of a chunk of data, and what `check` wants to know of it, as parts of a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from headstart.backbone import Backbone, Features
from headstart.data.alike.known import KnownImages
from headstart.encode import forms
from headstart.encode.encode import batching_of, features_key, finite, first_of_each
from headstart.encode.engines import Engine, open_engine
from headstart.encode.gone import Watch
from headstart.encode.known_photos import ReadPhotos, as_rows, photo_files, sum_of_file
from headstart.encode.segments import open_segment, segment
from headstart.encode.store import Table, as_kept, image_hashes, table
from headstart.encode.work import Work
from headstart.encode.works import waiting_rooms
from headstart.inputs.modality import Inspected
from headstart.values import Dataset, Finding

_LOOKERS = 2  # threads that decode while photos are looked at


@dataclass
class PartWriter:
    """Encodes chunks of data into the parts of a work, one after the other; the engine stays open."""

    dataset: Dataset  # as it was read
    backbone: Backbone
    precision: str  # as keys have it
    work: Work
    in_int8: bool = False  # whether features are kept in a byte a number
    _engines: dict[str, Engine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        about = f"{self.backbone.name}, {self.precision}"
        self._features = table(self.work.key, width=self.work.width, about=about, in_int8=self.in_int8)
        self._photos = self.dataset.modality.known() is not None
        self._looks = image_hashes() if self._photos else None
        self._files = photo_files() if self._photos else None
        self._watch = Watch(self.dataset) if self._photos else None
        waiting = {room.name for room in waiting_rooms(self._features.folder.parent.parent, self.work)}
        tables = [one for one in (self._features, self._looks, self._files) if one is not None]
        self._in_parts = [one for one in tables if one.folder.name in waiting]

    def has(self, chunk: int) -> bool:
        """Whether a chunk's parts are there, and whole; those that a merge has gathered need not be."""
        if not self._features.folder.is_dir():  # it could not be made
            return False
        return all(open_segment(one.folder / self.work.part(chunk), one.width) is not None for one in self._in_parts)

    def look(self, chunk: int) -> None:
        """Raises DataError where none of the data of a chunk is there."""
        if self._watch is not None:
            self._watch.begin(self._labelled(chunk))

    def _labelled(self, chunk: int) -> list[int]:
        complaint = self.dataset.task.complaint
        return [row for row in self.work.of_chunk(chunk) if complaint(self.dataset.targets[row]) is None]

    def write(self, chunk: int, advance: Callable[[int], None]) -> list[Finding]:
        """Compute a chunk and write its parts; what cannot be read in it is left out, and told.

        A chunk of which the store has all features in its shards is not computed again, whatever it was part of.

        Raises:
            DataError: the data are gone meanwhile. OutputError: no space, no permission.
        """
        rows = self.work.of_chunk(chunk)
        part, left_out = self._inspected(chunk, self._labelled(chunk))
        made = Encoder(
            self.backbone, self.precision, self._engines, in_int8=self.in_int8, known=self._features.gathered
        )
        advance(len(rows) - len(part))
        if len(part):
            part.modality.encode(part, np.arange(len(part)), self.backbone, by=made.by, advance=advance)
        keys, kept = made.all(self.work.width)
        kept = kept if self.in_int8 else _smallest(kept)
        self._features.write(self.work.part(chunk), segment(keys, kept, self.work.width))
        return left_out

    def _inspected(self, chunk: int, rows: list[int]) -> tuple[Dataset, list[Finding]]:
        """The examples of a chunk that can be used, with their digests; of photos, what `check` wants to know."""
        if self._watch is not None:
            self._watch.begin(rows)
        before = [sum_of_file(self.dataset.inputs[row]) for row in rows] if self._photos else []
        known = None if self._looks is None else ReadPhotos(self._looks, self._files)
        seen = self._looked_at(rows, known)
        if self._watch is not None:
            lost = sorted(set(rows) - set(seen.rows.tolist()))
            self._watch.end(rows, lost, self._looked_at(lost, known).rows.tolist() if lost else [])
        if self._looks is not None and self._files is not None:
            sums = dict(zip(rows, before, strict=True))
            unchanged = [
                (found, digest)
                for row, digest in zip(seen.rows.tolist(), seen.digests, strict=True)
                if (found := sums[row]) is not None and sum_of_file(self.dataset.inputs[row]) == found
            ]
            files = as_rows([found for found, _ in unchanged])
            contents = np.stack([digest for _, digest in unchanged]) if unchanged else files
            _write_part(self._files, self.work.part(chunk), files, contents)
            _write_part(self._looks, self.work.part(chunk), seen.digests, seen.hashes[:])
        part = self.dataset.take(seen.rows)
        return replace(part, digests=seen.digests), [finding for finding in seen.findings if finding.rejected]

    def _looked_at(self, rows: list[int], known: ReadPhotos | None) -> Inspected:
        return self.dataset.modality.inspect(
            self.dataset, np.array(rows, np.int64), known=KnownImages(known), workers=_LOOKERS, advance=lambda _: None
        )


def _smallest(rows: np.ndarray) -> np.ndarray:
    """In half precision where all of them fit into it as they are."""
    with np.errstate(over="ignore"):
        half = rows.astype(np.float16)
    return half if (half == rows).all() else rows


def _write_part(into: Table, name: str, keys: np.ndarray, rows: np.ndarray) -> None:
    into.write(name, segment(keys, np.ascontiguousarray(rows), rows.shape[1]))


@dataclass
class Encoder:
    """Encodes all that a modality asks for, once or bit by bit, and holds what came of it; engines stay open."""

    backbone: Backbone
    precision: str
    engines: dict[str, Engine] = field(default_factory=dict)
    in_int8: bool = False  # whether rows are held in a byte a number; else in float32, rounded as the store would
    known: Callable[[np.ndarray], np.ndarray | None] = lambda digests: None  # their rows as they are held, of all
    made: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def by(
        self, inputs: Sequence[Any], digests: np.ndarray, backbone: Backbone, *, advance: Callable[[int], None]
    ) -> Features:
        """As `encode`, of all of these inputs unless all are known: batches must not depend on which are."""
        rows = first_of_each(digests, np.arange(len(inputs)))
        kept = self.known(digests[rows])
        if kept is None:
            kept = self._kept(self._computed(inputs, digests, rows, backbone, advance))
        else:
            advance(len(inputs))
        self.made.append((digests[rows], kept))
        first = {digests[row].tobytes(): i for i, row in enumerate(rows.tolist())}
        every = np.array([first[digest.tobytes()] for digest in digests], dtype=np.int64)
        return Features(forms.opened(kept)[every], features_key(backbone, self.precision), 0)

    def _kept(self, rows: np.ndarray) -> np.ndarray:
        return forms.to_int8(rows) if self.in_int8 else as_kept(rows)

    def _computed(
        self,
        inputs: Sequence[Any],
        digests: np.ndarray,
        rows: np.ndarray,
        backbone: Backbone,
        advance: Callable[[int], None],
    ) -> np.ndarray:
        """(n, width) float32 features of these rows, which are all different."""
        engine = self.engines.get(backbone.function) or open_engine(backbone, self.precision)
        self.engines[backbone.function] = engine
        place, out = np.empty(len(inputs), dtype=np.int64), np.empty((len(rows), backbone.width), dtype=np.float32)
        place[rows] = np.arange(len(rows))
        advance(len(inputs) - len(rows))
        for which, computed in engine(batching_of(inputs, digests, backbone)(rows)):
            out[place[which]] = finite(computed, backbone).reshape(len(which), -1)
            advance(len(which))
        return out

    def all(self, width: int) -> tuple[np.ndarray, np.ndarray]:
        """(n, 32) keys and the rows that are held of them, each once, in their order."""
        keys = np.concatenate([np.empty((0, 32), np.uint8), *(keys for keys, _ in self.made)])
        dtype = forms.INT8 if self.in_int8 else np.dtype(np.float32)
        none = np.empty((0, forms.columns(width, dtype)), dtype)
        rows = np.concatenate([none, *(rows for _, rows in self.made)])
        first = first_of_each(keys, np.arange(len(keys)))
        return keys[first], rows[first]
