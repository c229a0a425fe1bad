"""What it takes to encode data: measured on a sample here, projected on all of it, on one machine and on several."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.backbone import Backbone
from headstart.choose.choose import licences_of, model_without_a_look, open_model
from headstart.clock import Budget
from headstart.data.alike.duplicates import FINGERPRINT
from headstart.data.alike.known import KnownImages
from headstart.data.read import read
from headstart.encode import forms
from headstart.encode.encode import encode_rows
from headstart.encode.kinds import KINDS
from headstart.encode.machine import FEW, using
from headstart.encode.parts import Encoder
from headstart.encode.precision import known_precision, precision_named
from headstart.errors import UserError, shortened
from headstart.inputs.encodings import wide_by_mark
from headstart.progress import Follower, Progress, Silent, as_progress
from headstart.session import Session
from headstart.tasks import table
from headstart.values import Columns, Dataset, Request

MACHINES = (1, 4, 16, 64)
_LINES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson")  # endings of files whose beginning is a smaller one of its kind
_WHOLE = 64 * 2**20  # bytes of a file of lines that is read to its end
_HEAD = 8 * 2**20  # bytes of a larger one that are read, or as many as its first line has
_MOST_MACHINES = 10**6
_SECONDS = 6.0  # of measuring, about, once the model runs
_AT_ONCE = 128  # examples between two looks at the clock, to begin with
_MOST = 8192  # examples that are measured
_SIZED = 5000  # files whose size is asked for
_INDEX_ROW = 60  # bytes in memory of what a table knows of a row
_DATA_ROW = 200  # bytes in memory of an example beside its text
_KEY_ROW = 40  # bytes on disk of a row's place in the index
_FILE_ROW = 32  # bytes on disk of what is known of a file


@dataclass(frozen=True)
class Plan:
    """What encoding some data takes."""

    data: str
    rows: int
    rows_counted: bool  # whether all of them were; else projected from the beginning of the file
    data_bytes: int
    model: str
    why: str
    sample: int  # examples that were measured
    check_per_second: float  # measured
    encode_per_second: float  # measured
    memory: int  # bytes; measured, of this process at its largest
    memory_all: int  # bytes; projected
    disk: int  # bytes of the store when it is merged; projected, exact where all rows differ
    disk_while: int  # while it is merged
    kept: str  # the form that features are kept in, by which the disk is projected
    disk_in_int8: int  # projected, were they kept in int8
    loss: float  # measured: what int8 costs, as `forms.loss_of`
    machines: tuple[dict[str, float], ...]  # hours, projected: as measured, if it is twice as slow, if twice as fast

    def to_json(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**told, "machines": list(self.machines)}


def plan(  # noqa: PLR0913 - as `fit`
    data: str | Path,
    *,
    machines: Sequence[int] = MACHINES,
    task: str = "auto",
    kind: str | None = None,
    model: str | Path = "auto",
    licence: str = "free",
    precision: str = "auto",
    keep: str | None = None,
    max_length: int | None = None,
    columns: Columns | None = None,
    device: str | None = None,
    threads: int | None = None,
    progress: Progress | Follower | None = None,
) -> Plan:
    """Say what it takes to encode data, before it is done: a few seconds on a sample, and the rest in numbers.

    Args:
        data: a folder or a table file. Of a file of lines that is larger than 64 MB the beginning is read.
        machines: how many, like this one, to project for.
        task, kind, model, licence, precision, max_length, columns, device, threads: as for `fit`. Where several models
            are at hand and none is named, the starter is measured: which one `fit` takes, it says after ranking them.
        keep: the form that features are to be kept in, as for `encode_shard`.
        progress: told what goes on.

    Raises:
        UserError: the data or the model cannot be used.

    Example:
        >>> hs.plan("questions.csv", model="all-MiniLM-L6-v2").rows
        240
    """
    form = forms.named(keep)
    machines = _numbers(machines)
    shown = as_progress(progress)
    session = Session(Budget(_SECONDS), shown or Silent(), download=shown)
    with using(device, threads), session.step("read"), _beginning(data) as (source, share):
        request = Request(
            data=source, task=task, kind=kind, columns=columns, model=str(model), licence=licences_of(licence),
            precision=precision_named(precision), max_length=max_length, allow_rejected=True,
        )  # fmt: skip
        dataset = read(request, table.TASKS)
    if not dataset.task.learner.encodes or not len(dataset):
        raise UserError(f"nothing is encoded for {dataset.title}", where=str(data), fix="headstart fit learns it")
    known = model_without_a_look(dataset, request)
    name, why = known or (dataset.modality.default_model, "the starter; fit ranks those at hand on a sample")
    with using(device, threads):
        backbone = open_model(dataset, name, request, session)
        with session.step("measure", shown=False):
            measured = _measured(dataset, backbone, session.now)
    rows = round(len(dataset) / share)
    return _projected(str(data), dataset, backbone, (name, why), measured, rows, share, form, machines)


def _projected(
    data: str,
    dataset: Dataset,
    backbone: Backbone,
    model: tuple[str, str],
    measured: _Measured,
    rows: int,
    share: float,
    form: str,
    machines: Sequence[int],
) -> Plan:
    photos = not dataset.modality.in_tables
    beside = FINGERPRINT + _FILE_ROW + 2 * _KEY_ROW if photos else 0
    row = {one: _KEY_ROW + beside + forms.bytes_of(backbone.width, one) for one in forms.FORMS}
    disk = rows * row[form]
    seconds = rows / measured.check + rows / measured.encode
    chunks = -(-rows // KINDS[backbone.kind].chunk)  # more machines than these have nothing to do
    shares = [(n, seconds / min(n, chunks) / 3600) for n in machines]
    hours = [{"machines": n, "hours": h, "if_twice": 2 * h, "if_half": h / 2} for n, h in shares]
    memory = _peak()
    return Plan(
        data=data,
        rows=rows,
        rows_counted=share == 1.0,
        data_bytes=_size(data, dataset),
        model=model[0],
        why=model[1],
        sample=measured.count,
        check_per_second=measured.check,
        encode_per_second=measured.encode,
        memory=memory,
        memory_all=memory + rows * (_INDEX_ROW + _DATA_ROW),
        disk=disk,
        disk_while=2 * disk,
        kept=form,
        disk_in_int8=rows * row["int8"],
        loss=measured.loss,
        machines=tuple(hours),
    )


@dataclass(frozen=True)
class _Measured:
    """Examples a second, here."""

    count: int
    check: float
    encode: float
    loss: float


def _measured(dataset: Dataset, backbone: Backbone, now: Callable[[], float]) -> _Measured:
    """Read, check and encode a sample from all over the data until some seconds are over; the first few, by which the
    model is opened, do not count."""
    rows = np.random.default_rng(0).permutation(len(dataset))[:_MOST]
    encode_rows(*_checked(dataset, rows[:FEW]), backbone, keep=False)  # also which precision is taken
    encoder = Encoder(backbone, known_precision(backbone) or "f32", in_int8=True)
    check = encode = 0.0
    losses: list[np.ndarray] = []
    done, start, size, begun, warm = 0, 0, _AT_ONCE, now(), len(rows) <= _AT_ONCE
    while start < len(rows) and now() - begun < _SECONDS:
        before = now()
        some = rows[start : start + size]
        part, every = _checked(dataset, some)
        checked = now()
        if len(every):
            part.modality.encode(part, every, backbone, by=encoder.by, advance=lambda _: None)
        after = now()
        losses += [made for _, made in encoder.made] if warm else []
        encoder.made.clear()
        if warm:
            check, encode, done = check + checked - before, encode + after - checked, done + len(some)
            start += size
            size = min(2 * size, KINDS[backbone.kind].chunk) if after - before < 1 else size
        warm, begun = True, begun if warm else after
    loss = forms.loss_of(losses)
    if loss is None:
        raise UserError("none of a sample can be used", where=dataset.name, fix="headstart check says why")
    return _Measured(done, done / max(1e-9, check), done / max(1e-9, encode), loss)


def _checked(dataset: Dataset, rows: np.ndarray) -> tuple[Dataset, np.ndarray]:
    """Those of some examples that can be used, with their digests, and the rows of all of them."""
    known = KnownImages()
    some = np.sort(rows)
    seen = dataset.modality.inspect(dataset, some, known=known, workers=2, advance=lambda _: None)
    part = replace(dataset.take(seen.rows), digests=seen.digests)
    return part, np.arange(len(part))


def _numbers(machines: Any) -> Sequence[int]:
    """Raises UserError where these are no numbers of machines."""
    of_some = isinstance(machines, Sequence) and len(machines) > 0
    if not of_some or not all(type(number) is int and 1 <= number <= _MOST_MACHINES for number in machines):
        fix = f"1 to {_MOST_MACHINES:,}, with commas"
        raise UserError(f"no numbers of machines: {shortened(repr(machines))}", where="--machines", fix=fix)
    return list(machines)


@contextmanager
def _beginning(data: str | Path) -> Iterator[tuple[str | Path, float]]:
    """The data, and which share of them that is: all, or the first lines of a large file of lines."""
    path = Path(data)
    if path.suffix.lower() not in _LINES or not path.is_file() or path.stat().st_size <= _WHOLE:
        yield data, 1.0
        return
    with path.open("rb") as file, tempfile.TemporaryDirectory() as folder:
        read = file.read(_HEAD)
        while not (size := _whole_lines(read)) and len(read) < _WHOLE and (more := file.read(_HEAD)):
            read += more
        if not size:  # one line, or none that ends as lines do
            yield data, 1.0
            return
        beginning = Path(folder) / path.name
        beginning.write_bytes(read[:size])
        try:
            yield beginning, size / path.stat().st_size
        except UserError as error:  # the user knows the whole file alone
            raise type(error)(error.what, where=error.where.replace(str(beginning), str(data)), fix=error.fix) from None


def _whole_lines(text: bytes) -> int:
    """How many bytes of the beginning of a text are lines with their end."""
    encoding = wide_by_mark(text) or "utf-8"
    end = next((sign.encode(encoding) for sign in "\n\r" if sign.encode(encoding) in text), b"\n")
    at = text.rfind(end)
    while at > 0 and at % len(end):  # half of a character and half of the next
        at = text.rfind(end, 0, at + len(end) - 1)
    return at + len(end) if at >= 0 else 0


def _size(data: str, dataset: Dataset) -> int:
    """Bytes of the data: of a file, or of its photos, of which a sample is asked."""
    if os.path.isfile(data) and dataset.modality.in_tables:
        return os.path.getsize(data)
    files = [one for one in dataset.inputs if isinstance(one, str | Path)]
    some = files if len(files) <= _SIZED else [files[i] for i in np.linspace(0, len(files) - 1, _SIZED).astype(int)]
    sizes = [os.path.getsize(one) for one in some if os.path.isfile(one)]
    return round(sum(sizes) * len(files) / max(1, len(some)))


def _peak() -> int:
    """Bytes of memory that this process has had at once; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if os.uname().sysname == "Darwin" else 1024 * peak
