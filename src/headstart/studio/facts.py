"""Facts of a project or a job in JSON files: written whole or not at all, and looked at field by field when read.

A project may be a stranger's, or somebody's hand may have been in it: links are not followed, and what has another type
or range than it should is damage, which is said.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from headstart.serve.refused import RefusedError
from headstart.storage.files import read_file
from headstart.storage.places import as_json, as_utf8, cannot_write

_MOST = 64 * 2**20  # bytes of one file of facts
_LONGEST_NAME = 200  # bytes of a file's name


class Facts(BaseModel):
    """What a file holds; other fields in it are nobody's."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


F = TypeVar("F", bound=Facts)


class DamagedError(RefusedError):
    """Something of a project that headstart did not write so, or that was changed since."""

    def __init__(self, what: str, *, where: str, fix: str = "put a copy of it back, or remove it") -> None:
        super().__init__(409, what, where=where, fix=fix)


def _file_name(name: str) -> str:
    """As it is, where it is the name of a visible file, and no path. Raises ValueError otherwise."""
    if not name.isprintable() or name.startswith(".") or {"/", "\\"} & {*name} or not 0 < len(name) <= _LONGEST_NAME:
        raise ValueError("no name of a file")
    if len(name.encode()) > _LONGEST_NAME:  # which fails for half a character, with a ValueError too
        raise ValueError("too long for the name of a file")
    return name


FileName = Annotated[str, AfterValidator(_file_name)]


def write_facts(path: Path, facts: Any) -> None:
    """Put these facts in the place of those before, in one step.

    Raises:
        OutputError: no space, no permission.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with unfinished.open("xb") as file:
            file.write(as_utf8(as_json(facts)))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def read_facts(path: Path, schema: type[F]) -> F | None:
    """The facts in a file; None: there is none.

    Raises:
        DamagedError: it is a link or no file, no JSON, or a field is not as it should be.
    """
    try:
        read = _json(read_file(path, most=_MOST, links=False))
        return schema.model_validate(read)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedError(f"{path.name} cannot be read: {error.strerror or error}", where=_place(path)) from error
    except ValidationError as error:
        raise DamagedError(f"{path.name} is damaged: {_first(error)}", where=_place(path)) from error
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path.name} is damaged: no JSON", where=_place(path)) from error


def known_facts(path: Path, schema: type[F]) -> F | None:
    """As `read_facts`, of what can be made anew: None where it is damaged, too."""
    with suppress(DamagedError):
        return read_facts(path, schema)
    return None


def open_to_append(path: Path) -> BinaryIO:
    """A file that is written on to, made where it is not there.

    Raises:
        OSError: something else has that name, such as a link or a pipe; or it cannot be written.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):  # pipes are not waited for
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(22, "not a file", str(path))
    return os.fdopen(descriptor, "ab")


def _json(content: bytes) -> Any:
    """As Python reads it, but without numbers that JSON does not have."""
    return json.loads(content.decode("utf-8-sig"), parse_constant=_no_number, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is no number of JSON")


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:60]
    return f"{where}: {first['msg'].lower()}" if where else str(first["msg"]).lower()


def _place(path: Path) -> str:
    """The folder that it is in, as people find it."""
    return f"{path.parent.parent.name}/{path.parent.name}"
