"""Corrected examples, stored so that `headstart fit` learns from them: photos in folders of classes, texts in a table.

A file is whole or not there, the same example again has its label replaced, and nothing that was there is lost.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.data.feedback import METADATA
from headstart.errors import DataError, UserError, short_name, some_of
from headstart.inputs.image import open_image
from headstart.model import Model
from headstart.pretrained.description import FILE
from headstart.serve.models import Served
from headstart.serve.names import refuse_as_folder
from headstart.serve.refused import RefusedError
from headstart.serve.requests import AnswerLabel
from headstart.serve.settings import Limits
from headstart.storage.files import parse_json, read_file
from headstart.storage.locks import take_lock
from headstart.storage.places import as_json, as_utf8, cannot_write
from headstart.values import Examples

_FILE_NAME = "file_name"  # in METADATA, the form of photos that are of no one class
_MOST_OF_A_TABLE = 256 * 2**20  # bytes
_KINDS = (  # what a photo begins with, and its ending
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
)
_BUSY = {"Retry-After": "1"}


@dataclass(frozen=True)
class Stored:
    """Where an example lies now."""

    where: str  # below the folder for feedback
    replaced: bool  # whether it was there before


class Feedback:
    """The folder for corrected examples of all models."""

    def __init__(self, folder: Path, names: Sequence[str], limits: Limits) -> None:
        """Raises UserError where it is no folder to write to, or a model would get examples among its files."""
        for name in names:
            if (folder / name / FILE).exists():
                what = f"the model {name} lies there, and its examples would, too"
                raise UserError(what, where=f"--feedback {folder}", fix="name another folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(13, os.strerror(13))
        except OSError as error:
            raise cannot_write(folder, error) from error
        self._folder, self._limits, self._lock = folder, limits, threading.Lock()
        self._files, self._bytes = _size_of(folder)

    def store(self, served: Served, value: Any, label: Any, *, new: bool) -> Stored:
        """Store one example with what is right of it.

        Args:
            value: as the model takes it: the bytes of a photo, a text, two texts.
            new: whether the label may be one that the model does not know.

        Raises:
            RefusedError: the label is none that the model could learn, there is no room, or another writes there now.
            DataError: the example cannot be used. OutputError: it cannot be written.
        """
        if any(isinstance(text, str) and not text.strip() for text in ([value] if isinstance(value, str) else value)):
            raise RefusedError(422, "no text", where="input", fix="send one that says something")
        target = _target(served, value, label, new=new)
        with self._lock, self._alone(served.name):
            try:
                if served.model.modality.in_tables:
                    row = _row(served.model, value, target)
                    return self._in_table(f"{served.name}.jsonl", row, _inputs_of(row, target))
                return self._photo(served.name, value, target)
            except OSError as error:
                raise cannot_write(self._folder, error) from error

    @contextmanager
    def _alone(self, name: str) -> Any:
        """While no other process stores examples of this model."""
        lock = take_lock(self._folder / name, without_locks=True)
        if lock is None:
            raise RefusedError(503, "another server stores an example there", fix="send it again", headers=_BUSY)
        try:
            yield
        finally:
            lock.release()

    def _photo(self, name: str, content: bytes, target: Any) -> Stored:
        """A photo in the folder of its class; of several labels or a number, beside a table that says them."""
        file = hashlib.sha256(content).hexdigest()[:16] + _ending(content)
        home = self._folder / name
        if not isinstance(target, str):
            there = (home / file).exists()
            if not there:
                self._write(home / file, content, more=len(content))
            self._in_table(f"{name}/{METADATA}", {_FILE_NAME: file, "label": target}, {_FILE_NAME: file})
            return Stored(f"{name}/{file}", there)
        place = home / target / file
        others = [path for path in home.glob(f"*/{file}") if path != place]
        if others:
            place.parent.mkdir(parents=True, exist_ok=True)
            others[0].replace(place)
            for path in others[1:]:
                path.unlink()
            return Stored(f"{name}/{target}/{file}", True)
        there = place.exists()
        if not there:
            self._write(place, content, more=len(content))
        return Stored(f"{name}/{target}/{file}", there)

    def _in_table(self, name: str, row: Mapping[str, Any], inputs: Mapping[str, Any]) -> Stored:
        """A row of JSON lines, in the place of one with the same inputs; all other lines stay as they are."""
        path = self._folder / name
        try:
            before = read_file(path, most=_MOST_OF_A_TABLE)
        except FileNotFoundError:
            before = b""
        lines = before.splitlines()
        kept = [line for line in lines if not _has(line, inputs)]
        content = b"\n".join([*kept, as_utf8(as_json(row, indent=None)).strip()]) + b"\n"
        self._write(path, content, more=len(content) - len(before))
        return Stored(name, len(kept) < len(lines))

    def _write(self, path: Path, content: bytes, *, more: int) -> None:
        """A file that is whole or not there. more: bytes that the folder grows by."""
        new, limits = not path.exists(), self._limits
        too_many = new and self._files >= limits.feedback_files
        if too_many or (more > 0 and self._bytes + more > limits.feedback_bytes):
            raise RefusedError(507, "the folder for feedback is full", fix="move examples away, or raise its limits")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with unfinished.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
        self._files, self._bytes = self._files + new, self._bytes + more


def _target(served: Served, value: Any, label: Any, *, new: bool) -> Any:
    """The label as its task has it.

    Raises:
        RefusedError: it is none of the task's, or not known to the model.
    """
    model = served.model
    if isinstance(label, AnswerLabel) != served.answers:
        fix = 'send {"answer": text}' if served.answers else "send a class, a list of labels or a number"
        raise RefusedError(422, f"no label of {served.title}", where="label", fix=fix)
    if isinstance(label, AnswerLabel):
        _refuse_elsewhere(label, value[1])
        return label
    cell = tuple(label) if isinstance(label, list) else label
    asked = Examples(model.modality.name, "feedback", [value], [cell], ["label"], separator=None)
    try:
        (target,), _ = model.task.parse(asked)
    except DataError as error:
        raise RefusedError(422, error.what, where="label", fix=error.fix) from None
    wrong = model.task.complaint(target)
    if wrong is not None:
        raise RefusedError(422, wrong[1], where="label", fix=f"send what {served.title} learns from")
    names = model.task.space([target]).names
    unknown = [name for name in names if name not in model.classes]
    if unknown and not new:
        fix = f"one of: {some_of(model.classes, most=20)}; or send new: true"
        raise RefusedError(422, f"the model does not know {short_name(unknown[0])!r}", where="label", fix=fix)
    if isinstance(target, str) and not model.modality.in_tables:
        refuse_as_folder(target, where="label")
    return list(target) if isinstance(target, tuple) else target


def _refuse_elsewhere(label: AnswerLabel, context: str) -> None:
    """Raises RefusedError where the answer does not stand in its text, at its place."""
    if label.start is not None and context[label.start : label.start + len(label.answer)] != label.answer:
        raise RefusedError(422, f"the answer does not begin at {label.start}", where="label.start", fix="leave it out")
    if label.answer not in context:
        fix = 'send it as it stands there; "" says that the text has no answer'
        raise RefusedError(422, "the answer is not in the text", where="label.answer", fix=fix)


def _ending(content: bytes) -> str:
    """Of a photo's file. Raises DataError where it is none, or of a kind that is not stored."""
    open_image(content)
    for start, ending in _KINDS:
        if content.startswith(start):
            return ending
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ".webp"
    raise DataError("a photo of this kind is not stored", where="input", fix="send it as JPEG, PNG or WebP")


def _row(model: Model, value: Any, target: Any) -> dict[str, Any]:
    """A row of a table as the model was fitted on one, or with the usual names of columns."""
    if isinstance(target, AnswerLabel):
        found = {"question": value[0], "context": value[1], "answer": target.answer}
        start = {} if target.start is None else {"answer_start": target.start}
        return found | start | {"is_impossible": not target.answer}
    known = model.columns
    label = "label" if known is None or known.label is None else known.label
    texts = () if known is None else known.texts
    if isinstance(value, str):
        return {texts[0] if len(texts) == 1 else "text": value, label: target}
    first = texts[0] if len(texts) == 1 else "text1"
    return {first: value[0], (known.text2 if known is not None else None) or "text2": value[1], label: target}


def _inputs_of(row: Mapping[str, Any], target: Any) -> dict[str, Any]:
    """What of a row is the input: all that is there before the label."""
    names = list(row)
    return {name: row[name] for name in names[: 2 if isinstance(target, AnswerLabel) else len(names) - 1]}


def _has(line: bytes, inputs: Mapping[str, Any]) -> bool:
    """Whether a line of a table is of these inputs; one that somebody else wrote in another form is not."""
    try:
        row = parse_json(line)
    except ValueError:
        return False
    return isinstance(row, dict) and all(name in row and row[name] == value for name, value in inputs.items())


def _size_of(folder: Path) -> tuple[int, int]:
    """How many files are in a folder, and their bytes."""
    files, size = 0, 0
    for root, _, names in os.walk(folder):
        files += len(names)
        size += sum(os.lstat(os.path.join(root, name)).st_size for name in names)
    return files, size
