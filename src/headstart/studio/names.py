"""Names that users give to projects, classes and files, made safe to be names on a disk."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

from headstart.data.files.accents import composed
from headstart.data.files.walk import Walk
from headstart.errors import short_name
from headstart.serve.names import refuse_as_folder
from headstart.serve.refused import RefusedError

_LONGEST_NAME = 100  # characters of a project's name
_LONGEST_SLUG, _LONGEST_STEM = 40, 60  # characters
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows


def project_name(name: str) -> str:
    """The name of a project on one line. Raises RefusedError where nothing is left of it, or it is too long."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not plain or len(plain) > _LONGEST_NAME:
        what = "a project needs a name" if not plain else f"the name has more than {_LONGEST_NAME} characters"
        raise RefusedError(422, what, where="name", fix="give it a short name, for example Roses")
    return plain


def slug(name: str) -> str:
    """A folder's name for a project: "Café & roses" is "cafe-roses"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_SLUG].strip("-")
    return made if made and not _RESERVED.fullmatch(made) else f"project-{made}".strip("-")


def class_name(name: str, others: Collection[str]) -> str:
    """The name of a class as its folder has it; the one that is there already, where it is the same but for case.

    Raises:
        RefusedError: it can be no folder's name, or `headstart fit` would take it for something else than a class.
    """
    plain = composed(name.strip())
    for other in others:
        if composed(other).casefold() == plain.casefold():
            return other
    refuse_as_folder(plain, where="name", others=others)
    if _RESERVED.fullmatch(plain) or Walk.ignores(plain):
        raise RefusedError(422, f"{short_name(plain)!r} cannot be the name of a class", fix="choose another name")
    return plain


def file_stem(name: str) -> str:
    """The beginning of a file's name, without what a name on a disk cannot have."""
    stem = os.path.splitext(re.split(r"[/\\]", name)[-1])[0]
    plain = re.sub(r"[^\w.()-]+", "_", composed(stem)).strip("._ ")[:_LONGEST_STEM]
    while len(plain.encode()) > 2 * _LONGEST_STEM:
        plain = plain[:-1]
    return "" if _RESERVED.fullmatch(plain) else plain


def free_file(path: Path) -> Path:
    """The path, or one beside it that nothing has yet: reviews.csv, reviews.2.csv."""
    ending = ".gz" if path.suffix == ".gz" else ""
    inner = path.with_suffix("") if ending else path
    stem, number, free = re.sub(r"\.\d+$", "", inner.stem), 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{stem}.{number}{inner.suffix}{ending}")
    return free
