"""One case: the files that headstart is given, made from a seed by a few changes."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import fuzz_bytes
import fuzz_json
import fuzz_lines
import fuzz_models

Bundle = Mapping[str, bytes]  # files of a seed by name, as they lie beside each other

_JSON = (".json",)
_LINES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".label", ".train", ".test")


@dataclass(frozen=True)
class Entry:
    """Something that is no plain file: where, what kind, and what it points to or holds."""

    name: bytes
    kind: str
    to: bytes = b""


@dataclass(frozen=True)
class Case:
    """What lies in the folder of a case."""

    files: Bundle
    told: str  # what was done to the seed
    entries: tuple[Entry, ...] = ()
    seed: str = ""

    @property
    def size(self) -> int:
        return sum(map(len, self.files.values())) + 10 * len(self.entries)


def changed(rng: random.Random, bundle: Bundle, others: Sequence[Bundle], *, strange: bool = True) -> Case:
    """A seed with one of its files changed, or (more seldom, if `strange`) another kind of thing in its place."""
    files = dict(bundle)
    name = _which(rng, files)
    what = rng.random()
    if strange and len(files) > 1 and what < 0.02:
        del files[name]
        return Case(files, f"{name} left out")
    if strange and what < 0.04:
        del files[name]
        kind, to = rng.choice(_STRANGE)
        return Case(files, f"{name} is {kind} {to.decode()}".strip(), (Entry(os.fsencode(name), kind, to),))
    if len(others) > 1 and what < 0.08:
        other = rng.choice(others)
        if name in other:
            files[name] = other[name]
            return Case(files, f"{name} of another seed")
    told = []
    for _ in range(rng.choice((1, 1, 1, 2))):
        same_kind = [other[name] for other in others if name in other]
        files[name], what_was_done = content(rng, name, files[name], same_kind)
        told.append(f"{name}: {what_was_done}")
        name = _which(rng, files)
    return Case(files, "; ".join(told))


def content(rng: random.Random, name: str, old: bytes, others: Sequence[bytes]) -> tuple[bytes, str]:
    """A file's content changed in a way that suits its kind, and now and then as bytes all the same."""
    ending, by_kind = Path(name).suffix.lower(), rng.random() < 0.85
    if by_kind and ending in _JSON:
        return fuzz_json.mutated(rng, old)
    if by_kind and ending in _LINES:
        return fuzz_lines.mutated(rng, old)
    if by_kind and ending == ".safetensors":
        return fuzz_bytes.safetensors(rng, old)
    if by_kind and old[:2] == b"PK":
        return fuzz_bytes.zipped(rng, old, others)
    if by_kind and ending == ".onnx" and rng.random() < 0.6:
        return fuzz_models.changed_graph(rng, old)
    new, told = fuzz_bytes.mutated(rng, old, others)
    if by_kind and old[:8] == b"\x89PNG\r\n\x1a\n":
        return fuzz_bytes.png(new), f"{told}, checksums right"
    return new, told


def write(case: Case, folder: Path) -> None:
    """Into a folder, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in case.files.items():
        path = folder / name
        if "/" in name:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for entry in case.entries:
            put(entry, root)
    finally:
        os.close(root)


def put(entry: Entry, root: int) -> None:
    """Make it below an open folder, whatever the length of its path: step by step."""
    *folders, last = entry.name.split(b"/")
    at = os.dup(root)
    try:
        for folder in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, dir_fd=at)
            deeper = os.open(folder, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = deeper
        _make(entry, last, at)
    except OSError:
        pass  # a name that this disk does not take is no case
    finally:
        os.close(at)


def _make(entry: Entry, name: bytes, at: int) -> None:
    if entry.kind == "a pipe":
        os.mkfifo(name, dir_fd=at)
    elif entry.kind == "a folder":
        os.mkdir(name, dir_fd=at)
    elif entry.kind == "a link":
        os.symlink(entry.to, name, dir_fd=at)
    elif entry.kind == "a socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(b"/proc/self/fd/%d/%b" % (at, name))
    else:
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, dir_fd=at)
        try:
            if entry.kind == "a sparse file":
                os.ftruncate(file, int(entry.to))
            else:
                os.write(file, entry.to)
        finally:
            os.close(file)


_STRANGE = (
    *(("a pipe", b""), ("a socket", b""), ("a folder", b""), ("a sparse file", b"200000000000"), ("a file", b"")),
    *(("a link", b"/dev/zero"), ("a link", b"."), ("a link", b"/dev/null"), ("a link", b"nothing")),
    *(("a link", b"loop"), ("a link", b"/proc/self/mem")),
)


def _which(rng: random.Random, files: Bundle) -> str:
    """One of the files; what is read most closely, JSON, is as likely as all others together."""
    names = sorted(files)
    told = [name for name in names if name.endswith(_JSON)]
    return rng.choice(told if told and rng.random() < 0.5 else names)
