"""What headstart wrote into a folder, by name and hash: nothing else in it is ever replaced or removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from headstart import __version__
from headstart.storage.files import parse_json, read_file, sha256_of
from headstart.storage.places import as_json, as_utf8

NAME = "manifest.json"
# All that a saved folder may hold. A manifest that names anything else is not ours.
_WRITTEN = frozenset(
    (
        "1_Pooling/config.json",
        "README.md",
        "config.json",
        "config_sentence_transformers.json",
        "head.safetensors",
        "headstart.json",
        "metrics.json",
        "model.onnx",
        "model.safetensors",
        "modules.json",
        "preprocessor_config.json",
        "reference.safetensors",
        "rejected.csv",
        "report.html",
        "sentence_bert_config.json",
        "split.csv",
        "tokenizer.json",
        "tokenizer_config.json",
    )
)
_FOLDERS = frozenset(str(PurePath(name).parent) for name in _WRITTEN if "/" in name)
_MOST = 1 << 20  # bytes of a manifest
_MOST_FILE = 1 << 40


def write_manifest(folder: Path) -> None:
    """Write down what is in a folder that was just written.

    Raises:
        ValueError: a file that no saved folder holds (`_WRITTEN` has to know it first).
    """
    names = sorted(name for name, is_folder in _entries(folder) if not is_folder)
    if unknown := set(names) - _WRITTEN:
        raise ValueError(f"not known as a file of a saved folder: {sorted(unknown)}")
    (folder / NAME).write_bytes(_as_bytes({name: _sha256(folder / name) for name in names}))


def is_of_saved(path: Path) -> bool:
    """Whether a path is, or would be, a file of the model that is saved in its folder."""
    inside = (path.parent / "headstart.json").exists() or (path.parent / NAME).exists()
    return inside and path.name.casefold() in {name.casefold() for name in (*_WRITTEN, NAME)}


def stranger_in(folder: Path) -> str | None:
    """Why a folder is not all headstart's own, naming the first thing that is not; None: nothing in it is anyone's."""
    try:
        listed = _listed(folder)
        for name, is_folder in _entries(folder):
            if name in _FOLDERS if is_folder else name == NAME and listed is not None:
                continue
            if listed is None:
                return f"it has no {NAME} that lists what headstart wrote there"
            if is_folder or name not in listed:
                return f"{name} in it is not of the model that was saved there"
            if listed[name] != _sha256(folder / name):
                return f"{name} in it was changed since it was saved"
    except OSError as error:
        return f"{error.filename or folder} cannot be read: {error.strerror}"
    return None


def was_changed(folder: Path, name: str) -> bool:
    """Whether a file is another than the one that was saved there; False too where no manifest tells.

    Raises:
        OSError: it cannot be read.
    """
    listed = _listed(folder)
    return listed is not None and listed.get(name) != _sha256(folder / name)


def remove_written(folder: Path) -> None:
    """Remove what headstart writes into a folder, and the folder if nothing else is in it."""
    for name in (*_WRITTEN, NAME):
        (folder / name).unlink(missing_ok=True)
    for inner in (*_FOLDERS, "."):
        place = folder / inner
        if place.is_dir() and not os.listdir(place):
            place.rmdir()


def _listed(folder: Path) -> dict[str, str] | None:
    """Names and hashes of the manifest; None where there is none that headstart wrote, to the byte."""
    try:
        content = read_file(folder / NAME, most=_MOST)
        told = parse_json(content)
        files, version = told["files"], told["headstart"]
        is_ours = set(files) <= _WRITTEN and all(isinstance(found, str) for found in files.values())
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return dict(files) if is_ours and _as_bytes(files, version) == content else None


def _as_bytes(files: dict[str, str], version: str = __version__) -> bytes:
    return as_utf8(as_json({"headstart": version, "files": files}))


def _entries(folder: Path) -> Iterator[tuple[str, bool]]:
    """Everything below a folder in the order of names: its path there with slashes, and whether it is a folder. A link
    is a file: nobody follows it."""
    for root, folders, files in os.walk(folder, onerror=_raise):
        folders.sort()
        inner = Path(root).relative_to(folder)
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        found = [(name, name not in links) for name in folders] + [(name, False) for name in files]
        yield from ((str(PurePath(inner, name).as_posix()), is_folder) for name, is_folder in sorted(found))


def _raise(error: OSError) -> None:
    raise error


def _sha256(path: Path) -> str:
    """Empty for a link or what is no regular file: it is not what was written."""
    return "" if path.is_symlink() else sha256_of(path, most=_MOST_FILE)
