"""Features of data computed by any number of processes, on any number of machines, that share nothing but a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart import pipeline
from headstart.backbone import Backbone
from headstart.choose.choose import choose_model, licences_of, model_without_a_look, open_model
from headstart.clock import Budget, seconds_of
from headstart.data.alike.known import KnownImages
from headstart.data.read import read
from headstart.encode.encode import encode_rows, features_key
from headstart.encode.forms import say_form
from headstart.encode.kinds import KINDS
from headstart.encode.machine import using
from headstart.encode.parts import PartWriter
from headstart.encode.precision import known_precision, precision_named
from headstart.encode.segments import is_part
from headstart.encode.store import Table, facts_of, features_in, folder_of, form_of, store_at
from headstart.encode.work import Shard, Work, listing_of, shard_named
from headstart.encode.works import (
    begin,
    is_begun,
    is_merged,
    missing,
    orphans_in,
    rooms_in,
    say_damaged,
    say_merged,
    say_wanted,
    unfinished,
    works,
)
from headstart.errors import OutputError, UserError
from headstart.progress import Follower, Progress, Silent, as_progress, note
from headstart.session import Session
from headstart.storage.files import is_there, read_json, resolved
from headstart.storage.shared import sweep, write_first
from headstart.tasks import table
from headstart.values import Columns, Dataset, Finding, Request

_SAMPLE = 32  # examples that the precision is measured on
_CHOICES = "choices"
_TRIES = 5  # to read what another merge replaces


@dataclass(frozen=True)
class Encoded:
    """What a process has done of a work."""

    store: Path
    model: str
    precision: str
    kept: str  # the form that features have there: "float16" or "int8"
    rows: int  # of the data
    shard: Shard
    chunks: int  # of the shard
    computed: int  # of these, by this process
    left_out: tuple[Finding, ...] = field(repr=False)  # that cannot be used

    def to_json(self) -> dict[str, Any]:
        told = {"store": str(self.store), "model": self.model, "precision": self.precision, "kept": self.kept}
        shard = f"{self.shard.number}/{self.shard.of}"
        return {
            **told,
            "rows": self.rows,
            "shard": shard,
            "chunks": self.chunks,
            "computed": self.computed,
            "left_out": len(self.left_out),
        }


def encode_shard(  # noqa: PLR0913 - as `fit`
    data: str | Path,
    *,
    store: str | Path,
    shard: str = "1/1",
    task: str = "auto",
    kind: str | None = None,
    model: str | Path = "auto",
    licence: str = "free",
    precision: str = "auto",
    keep: str | None = None,
    test: float | str | Path = 0.2,
    max_length: int | None = None,
    columns: Columns | None = None,
    device: str | None = None,
    threads: int | None = None,
    progress: Progress | Follower | None = None,
) -> Encoded:
    """Compute the features that a fit of these data needs, or a share of them, into a folder that machines may share.

    It may be ended at any moment and called again, and several may run at once, also of one shard: nothing is locked,
    all that is written is whole.

    Args:
        data: a folder or a table file that every process sees under this name.
        store: the folder; `fit` takes it as `store`, too.
        shard: "3/100": the third of a hundred shares.
        task, kind, test, columns: as for `fit`.
        model: a catalog name, a hub name or a folder; "auto": the one by which these data are encoded there already,
            or that `fit` would choose, which takes a look at all of them where there are several.
        licence, precision, max_length, device, threads: as for `fit`.
        keep: "float16"; "int8", in half the bytes, whose cost the merge tells; None: as the store has it. It holds for
            all of the store.
        progress: told what goes on.

    Raises:
        UserError: the data, the model or the folder cannot be used, or it keeps features otherwise.

    Example:
        >>> half = hs.encode_shard("questions.csv", store="features", shard="1/2", model="all-MiniLM-L6-v2")
        >>> half.rows, half.kept
        (240, 'float16')
    """
    if not isinstance(data, str | Path):
        raise UserError("data in memory are no other process's", where="data", fix="name a folder or a file")
    if precision == "int8":
        fix = "leave it out: a fit calibrates int8 on its own training part"
        raise UserError("int8 is of one fit", where="--precision", fix=fix)
    mine, folder = shard_named(shard), store_at(store, data)
    request = Request(
        data=data, task=task, kind=kind, columns=columns, licence=licences_of(licence), test=test,
        model=str(resolved(model)) if is_there(model) else str(model), precision=precision_named(precision),
        max_length=max_length, allow_rejected=True,
    )  # fmt: skip
    shown = as_progress(progress)
    session = Session(Budget(seconds_of(None)), shown or Silent(), download=shown)
    with using(device, threads), features_in(folder):
        with session.step("read"):
            dataset = read(request, table.TASKS)
        kept = say_form(folder, keep, form_of)
        listing = listing_of(dataset)
        name, backbone = _model(dataset, listing, folder, request, session)
        precision = _precision(dataset, backbone)
        work = Work(
            dataset.name, listing, dataset.modality.name, name, features_key(backbone, precision), backbone.width,
            len(dataset), KINDS[backbone.kind].chunk, place=str(resolved(data)) if is_there(data) else str(data),
        )  # fmt: skip
        writer = PartWriter(dataset, backbone, precision, work, in_int8=kept == "int8")
        return _encoded(writer, folder, kept, mine, session)


def _encoded(writer: PartWriter, store: Path, kept: str, shard: Shard, session: Session) -> Encoded:
    work = writer.work
    mine, left_out, computed = shard.chunks(work.chunks), list[Finding](), 0
    if not is_merged(store, work):
        wanted = [chunk for chunk in mine if not writer.has(chunk)]
        for chunk in wanted[:1]:  # before anybody is told that these data are wanted
            writer.look(chunk)
        if wanted or not is_begun(store, work):  # else nothing is written, for perhaps nothing can be
            begin(store, work, shard)
        rows = {chunk: len(work.of_chunk(chunk)) for chunk in mine}
        with session.step("encode", sum(rows.values())) as advance:
            advance(sum(rows.values()) - sum(rows[chunk] for chunk in wanted))
            for chunk in wanted:
                left_out += writer.write(chunk, advance)
                computed += 1
    say_wanted(store, work)
    return Encoded(store, work.model, writer.precision, kept, work.rows, shard, len(mine), computed, tuple(left_out))


def _model(dataset: Dataset, listing: str, store: Path, request: Request, session: Session) -> tuple[str, Backbone]:
    """The model, said before the work. What one process has chosen holds for all of them."""
    if not dataset.task.learner.encodes:
        raise UserError(f"nothing is encoded for {dataset.title}", where=dataset.name, fix="headstart fit learns it")
    known, note = model_without_a_look(dataset, request), store / _CHOICES / f"{listing[:16]}.json"
    if known is None and not note.exists():
        checked, parts = pipeline.prepare(request, session)
        name, why, _ = choose_model(checked, parts.train, request, session)
        write_first(note, json.dumps({"model": name, "why": why}) + "\n")
    if known is None:
        try:
            told = read_json(note)
            known = str(told["model"]), str(told["why"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError("the choice of the model is damaged", where=str(note), fix="remove that file") from error
    session.say([f"model: {known[0]}: {known[1]}"])
    return known[0], open_model(dataset, known[0], request, session)


def _precision(dataset: Dataset, backbone: Backbone) -> str:
    """As it stands in the store, or is measured here and holds for all from now on."""
    known = known_precision(backbone)
    if known is not None:
        return known
    rows = np.unique(np.linspace(0, len(dataset) - 1, min(_SAMPLE, len(dataset))).astype(np.int64))
    seen = dataset.modality.inspect(dataset, rows, known=KnownImages(), workers=2, advance=lambda _: None)
    if not len(seen.rows):
        raise UserError("none of a sample can be used", where=dataset.name, fix="headstart check says why")
    some = replace(dataset.take(seen.rows), digests=seen.digests)
    encode_rows(some, np.arange(len(some)), backbone, keep=False)
    return known_precision(backbone) or "f32"


@dataclass(frozen=True)
class Merged:
    """What a store holds once all was gathered."""

    store: Path
    tables: tuple[dict[str, Any], ...]  # about, rows, bytes of each; what int8 has cost, where it is in that

    def to_json(self) -> dict[str, Any]:
        return {"store": str(self.store), "tables": list(self.tables)}


def merge_shards(store: str | Path) -> Merged:
    """Gather what was computed into shards of plain numpy and a Parquet index; called again, it does nothing.

    Raises:
        UserError: it is no store, or shards are missing in it. OutputError: nothing can be written there.

    Example:
        >>> encoded = hs.encode_shard("questions.csv", store="features", model="all-MiniLM-L6-v2")
        >>> hs.merge_shards("features").tables[0]["rows"]
        240
    """
    folder = store_at(store)
    try:
        return _merged(folder)
    except OSError as error:
        fix = "run this as who may read and write there"
        where = str(error.filename or store)
        raise OutputError(f"cannot be read or written: {error.strerror or error}", where=where, fix=fix) from error


def _merged(store: Path) -> Merged:
    begun = works(store)  # what others begin from now on is theirs
    rooms = rooms_in(store)
    if not rooms:
        raise UserError("no store", where=str(store), fix="headstart encode DATA --store FOLDER makes one")
    _refuse_other_widths(store, begun)
    lacking = {work.name: missing(store, work, closely=True) for work in begun}
    _refuse_missing(store, begun, lacking)
    names = {path.name for path in rooms}
    done = [work for work in begun if folder_of(work.key) in names and not lacking[work.name]]
    with features_in(store):
        before = {path.name: _looked_through(path, sampled=False) for path in rooms}
        _refuse_damaged(store, [work for work in done if is_merged(store, work)], before)
        tables = {path.name: _gathered(path, begun, damaged=before[path.name].damaged) for path in rooms}
    _refuse_damaged(store, done, tables)
    of_photos = names - {folder_of(work.key) for work in begun}
    for work in done:  # before its parts go, so that nobody who is killed between the two takes them for missing
        say_merged(store, work, of_photos, loss=tables[folder_of(work.key)].told.get("loss"))
    with features_in(store):
        for path in rooms:
            _without_parts(path, begun, tables[path.name])
    return Merged(store, tuple(table.told for table in tables.values()))


def _refuse_missing(store: Path, begun: Sequence[Work], lacking: Mapping[str, Sequence[int]]) -> None:
    """Raises UserError where shards are missing, or a note that says to what parts belong."""
    told = unfinished(store, begun, lacking)
    if told:
        fix = "run these again, with the options that they had; a fit with --store computes what is missing"
        raise UserError("; ".join(told), where=str(store), fix=fix)
    orphans = orphans_in(store, begun)
    if orphans and orphans_in(store, works(store)):  # else they were begun a moment ago
        what = f"{len(orphans):,} parts of which no note says to what they belong"
        raise UserError(what, where=str(orphans[0]), fix="run any of their shards again, or remove them")


@dataclass(frozen=True)
class _Gathered:
    """A table, once it was gathered."""

    told: dict[str, Any]  # as `Merged.tables`
    damaged: int  # rows


def _refuse_damaged(store: Path, done: Sequence[Work], tables: Mapping[str, _Gathered]) -> None:
    """Raises UserError where not all of what was gathered is what was written; its shards look at it again then."""
    damaged = {name: table for name, table in tables.items() if table.damaged}
    names = {folder_of(work.key) for work in done}
    of_photos = not damaged.keys() <= names  # of which what they look like is known: that is of all works
    affected = [work for work in done if folder_of(work.key) in damaged or of_photos]
    for work in affected:
        say_damaged(store, work)
    for each in damaged.values() if affected else ():
        what = f"{each.damaged:,} of {each.told['rows']:,} rows are damaged: {each.told['about']}"
        fix = "run all shards again, with the options that they had, and merge: what is whole is not computed again"
        raise UserError(what, where=str(store), fix=fix)


def _refuse_other_widths(store: Path, begun: Sequence[Work]) -> None:
    """Raises UserError where a table says another width than its features have: nothing of it would be gathered."""
    for work in begun:
        about = work.parts_in(store) / "about.json"
        facts = facts_of(about.parent)
        if about.parent.is_dir() and (facts is None or facts["width"] != work.width):
            fix = "remove that file, and run any of the shards again"
            raise UserError("what the table is about is damaged", where=str(about), fix=fix)


def _gathered(path: Path, begun: Sequence[Work], *, damaged: int) -> _Gathered:
    """Gather a table, but for parts of what another process has begun meanwhile; what it then is.

    Args:
        damaged: rows that are so, and of no work that is done: data of before, which nobody can compute again.
    """

    facts = facts_of(path)
    if facts is None:
        raise OutputError("what the table is about is damaged", where=str(path), fix="run any of the shards again")
    sweep(path)
    if damaged:
        note(f"{damaged:,} rows were damaged, and are of no data that the store has now; they go: {facts['about']}")
    opened = Table(path, facts["width"], is_shared=True)
    opened.gather(leave=_of_others(begun), drop_damaged=damaged > 0, remove=False)
    return _looked_through(path)


def _without_parts(path: Path, begun: Sequence[Work], table: _Gathered) -> None:
    """Remove what a table's shards have, and tell what it takes then."""
    facts = facts_of(path)
    if facts is not None:
        Table(path, facts["width"], is_shared=True).gather(leave=_of_others(begun))
        table.told["rows"], table.told["bytes"] = Table(path, facts["width"], is_shared=True).count, _bytes_in(path)


def _of_others(begun: Sequence[Work]) -> Callable[[Path], bool]:
    """Whether a segment is a part of what another process has begun meanwhile."""
    return lambda segment: is_part(segment) and not any(work.has(segment) for work in begun)


def _looked_through(path: Path, *, sampled: bool = True) -> _Gathered:
    """All rows of a table are read, for nobody else does so before somebody counts on them.

    Args:
        sampled: whether it is measured what int8 has cost.
    """
    facts, left = facts_of(path), _TRIES
    if facts is None:
        raise OutputError("what the table is about is damaged", where=str(path), fix="run any of the shards again")
    while True:
        opened, left = Table(path, facts["width"], is_shared=True), left - 1
        told = {"about": facts["about"], "rows": opened.count, "bytes": _bytes_in(path)}
        try:
            damaged = opened.damaged()
            loss = opened.loss() if sampled and not damaged else None
            return _Gathered(told if loss is None else told | {"kept": "int8", "loss": loss}, damaged)
        except OSError as error:
            if left and isinstance(error, FileNotFoundError):  # another merge has replaced it
                continue
            fix = "run this as who may read there; where others merge, too, again"
            where = str(error.filename or path)
            raise OutputError(f"cannot be read: {error.strerror or error}", where=where, fix=fix) from error


def _bytes_in(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # gathered by somebody else
            size += path.stat().st_size if path.is_file() else 0
    return size
