"""Folders as the crash harness sees them: copied, hashed, and compared without what differs from run to run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

VOLATILE = ("seconds", "cached", "date")  # keys of JSON: how long it took, how much an earlier run had done, the day
# In pages: dates and durations, the bar of seconds by step and the model card's line of them.
_BAR = rb'<svg class="chart stacked".*?</svg><ul class="legend">.*?</ul>'
_LINE = rb"(?m:^- made in .*$)"
_TOLD = re.compile(_BAR + rb"|" + _LINE + rb"|\d{4}-\d\d-\d\d|\d[\d,]*(\.\d+)? (s|seconds)\b")
_LEFT = re.compile(r"^\.|\.(tmp|old|lock|part|bak)$")


def copied(start: Path, case: Path) -> Path:
    """A copy of a folder, its times included."""
    shutil.rmtree(case, ignore_errors=True)
    return Path(shutil.copytree(start, case, symlinks=True))


def contents(folder: Path) -> dict[str, str]:
    """Relative path -> what is there, without what is volatile; empty where the folder is not there."""
    return {name: _content(path) for name, path in _walk(folder)}


def exact(folder: Path, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """Relative path -> what is there, to the byte, with rights and time of change; but for these top names."""
    found = {}
    for name, path in _walk(folder):
        if name.split("/")[0] in but:
            continue
        stat = path.lstat()
        time = stat.st_mtime_ns if path.is_file() else 0  # a folder's changes whenever a file is made beside others
        found[name] = f"{_bytes_of(path)} {stat.st_mode:o} {time}"
    return found


def differences(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    """What is missing, more or other, in words."""
    gone = [f"{name} is gone" for name in wanted if name not in found]
    more = [f"{name} is new" for name in found if name not in wanted]
    both = [name for name in wanted if name in found and wanted[name] != found[name]]
    other = [f"{name} is not the same{_first(wanted[name], found[name])}" for name in both]
    return [*gone, *more, *sorted(other, key=len, reverse=True)]  # what says most comes first


def _first(wanted: str, found: str) -> str:
    """Where two JSON texts differ first; empty where they are none."""
    if not (wanted.startswith("{") and found.startswith("{")):
        return ""
    mine, other = _leaves(json.loads(wanted)), _leaves(json.loads(found))
    name = next((name for name in {**mine, **other} if mine.get(name) != other.get(name)), "order")
    return f" ({name}: {str(other.get(name))[:40]}, not {str(mine.get(name))[:40]})"


def _leaves(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, dict | list):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {where: leaf for key, item in items for where, leaf in _leaves(item, f"{name}.{key}".strip(".")).items()}


def lasting(found: dict[str, str]) -> dict[str, str]:
    """Without temporary files, locks and what is in temporary folders."""
    return {name: what for name, what in found.items() if not any(map(_LEFT.search, name.split("/")))}


def left_behind(folder: Path, known: dict[str, str]) -> list[str]:
    """Names of temporary files and locks that are not among those that are known."""
    named = [name for name, _ in _walk(folder) if name not in known]
    return [name for name in named if _LEFT.search(name.rsplit("/", 1)[-1])]


def _walk(folder: Path) -> list[tuple[str, Path]]:
    found = []
    for home, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(home, name)
            found.append((path.relative_to(folder).as_posix(), path))
    return sorted(found)


def _bytes_of(path: Path) -> str:
    if path.is_symlink():
        return f"link to {os.readlink(path)}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"


def _content(path: Path) -> str:
    if path.suffix not in (".json", ".html", ".md") or path.name == "config.json" or not path.is_file():
        return _bytes_of(path)
    data = path.read_bytes()
    if path.suffix == ".json":
        try:
            if path.name == "manifest.json":
                return _listed(path, json.loads(data))
            return json.dumps(_steady(json.loads(data)))
        except ValueError:
            return f"no JSON: {hashlib.sha256(data).hexdigest()}"
    return hashlib.sha256(_TOLD.sub(b"", data)).hexdigest()


def _listed(manifest: Path, told: Any) -> str:
    """The names in a manifest, and whether each has the hash of the file beside it: those of pages differ."""
    right = {name: _bytes_of(manifest.parent / name) == found for name, found in told["files"].items()}
    return f"lists {right}"


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(item) for key, item in value.items() if key not in VOLATILE}
    return [_steady(item) for item in value] if isinstance(value, list) else value
