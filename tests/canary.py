"""A canary: what lies around a command is looked at before and after it. Only its output and the cache may change."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

HOME = {  # what a home may hold, and a command has nothing to do with
    ".ssh/id_ed25519": "a key\n",
    ".bashrc": "alias ll='ls -l'\n",
    ".config/app/settings.ini": "[app]\n",
    "Documents/letter.txt": "Dear all,\n",
    "Pictures/roses/1.jpg": "as good as a photo\n",
    "old.headstart/notes.txt": "by hand\n",
}
_READ = 2**18  # bytes: larger files are known by their size and time
_MOST = 5_000  # entries that are looked at below one folder
_CACHES = ("HEADSTART_CACHE", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME")
_TRACKED = ("mlflow.db", "mlruns", "mlartifacts", "runs")  # what --track makes where it is told no place


def make_home(folder: Path) -> Path:
    """A home in which everything is somebody's."""
    for name, content in HOME.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@contextmanager
def nothing_else_touched(
    arguments: Sequence[object], *, here: Path, env: Mapping[str, str], around: Sequence[Path] = ()
) -> Iterator[None]:
    """Fails with the name of the file where a command changes anything but its --out, the cache and what it tracks to.

    Args:
        arguments: of the command, its name first. Those that are paths are watched.
        here: the folder where it runs. env: what it runs with.
        around: folders that are watched too.
    """
    words = [str(argument) for argument in arguments]
    spared = _spared(words, here, env)
    watched = [*around, *_paths(words, here)]
    before = _seen(watched, spared)
    yield
    after = _seen(watched, spared)
    if before == after:
        return
    name = min(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    what = "made" if name not in before else "gone" if name not in after else "changed"
    raise AssertionError(f"{what} by {' '.join(words)[:200]}: {name}")


def _spared(words: Sequence[str], here: Path, env: Mapping[str, str]) -> tuple[str, ...]:
    """Paths that may change with all below them; of one that ends with a point, every path that begins so."""
    spared = [str(Path(env[name]).expanduser()) for name in _CACHES if env.get(name)]
    options = dict(pairwise(words))
    if words[:1] == ["fit"]:
        data = here / words[1]
        name = (
            options.get("--out")
            or f"{data.stem if os.path.isfile(data) else os.path.basename(os.path.realpath(data))}.headstart"
        )
        spared += _written(here / name)
    if words[:1] in (["predict"], ["explain"], ["export"]) and "--out" in options:
        spared += _written(here / options["--out"])
    if "--store" in options:
        spared.append(str((here / options["--store"]).resolve()))
    if "--track" in options:
        spared += [str(here / name) for name in (*_TRACKED, options["--track"].partition(":")[2]) if name]
    return tuple(spared)


def _written(out: Path) -> list[str]:
    """A folder that a command writes, and what that is before it gets its name."""
    out = out.resolve()
    return [str(out), str(out.parent / f".{out.name}.")]


def _paths(words: Sequence[str], here: Path) -> list[Path]:
    """What of the arguments is there: as a path, in a list with commas, behind ARCHITECTURE=."""
    found = []
    for word in words:
        for piece in {word, word.rpartition("=")[2], *word.split(",")}:
            if piece and "\0" not in piece and len(piece) < 255 and os.path.lexists(here / piece):
                found.append(here / piece)
    return found


def _seen(watched: Sequence[Path], spared: tuple[str, ...]) -> dict[str, str]:
    """Every file, folder and link below some paths, with what tells one content from another."""
    seen: dict[str, str] = {}
    for top in watched:
        _look(os.path.abspath(top), spared, seen)
        left = _MOST
        for folder, folders, files in os.walk(os.path.realpath(top)):
            folders[:] = sorted(name for name in folders if not _may_change(os.path.join(folder, name), spared))
            for name in (*folders, *sorted(files)):
                _look(os.path.join(folder, name), spared, seen)
            left -= len(folders) + len(files)
            if left < 0:
                break
    return seen


def _may_change(path: str, spared: tuple[str, ...]) -> bool:
    return any(path == one or path.startswith(one if one.endswith(".") else f"{one}{os.sep}") for one in spared)


def _look(path: str, spared: tuple[str, ...], seen: dict[str, str]) -> None:
    if path in seen or _may_change(path, spared):
        return
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            seen[path] = f"to {os.readlink(path)}"
        elif not stat.S_ISREG(status.st_mode):
            seen[path] = str(stat.S_IFMT(status.st_mode))
        elif status.st_size > _READ:
            seen[path] = f"{status.st_size} {status.st_mtime_ns}"
        else:
            with open(path, "rb") as file:
                seen[path] = hashlib.sha256(file.read()).hexdigest()
    except OSError as error:  # not to be read: it stays so
        seen[path] = str(error.errno)
