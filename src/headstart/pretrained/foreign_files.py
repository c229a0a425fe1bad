"""Files of a model's folder, which somebody else may have made: read where they are regular and of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headstart.errors import ModelError
from headstart.storage.files import MOST_JSON, open_file, parse_json, read_blocks, read_file

MOST_WEIGHTS = 20 * 10**9  # bytes


def json_object(file: Path, *, most: int = MOST_JSON) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ModelError: it cannot be read, or holds something else.
    """
    content = _json(file, most)
    if not isinstance(content, dict):
        raise ModelError(f"not a JSON object but {type(content).__name__}", where=str(file))
    return content


def json_list(file: Path) -> list[Any]:
    """The JSON list in a file.

    Raises:
        ModelError: as `json_object`.
    """
    content = _json(file, MOST_JSON)
    if not isinstance(content, list):
        raise ModelError(f"not a JSON list but {type(content).__name__}", where=str(file))
    return content


def text_of(file: Path) -> str:
    """What a file of text holds.

    Raises:
        ModelError: it cannot be read, or is not UTF-8.
    """
    try:
        return read_file(file, most=MOST_JSON).decode("utf-8")
    except OSError as error:
        raise unreadable(file, error) from None
    except UnicodeDecodeError as error:
        raise ModelError(f"not UTF-8: {error}", where=str(file)) from None


def refuse_special(file: Path, *, most: int = MOST_WEIGHTS) -> None:
    """Raises ModelError where a file cannot be read, or is a named pipe, a device or too large."""
    try:
        open_file(file, most=most).close()
    except OSError as error:
        raise unreadable(file, error) from None


def copy_regular(file: Path, target: Path) -> None:
    """Copy a file of a stranger's to where we keep things.

    Raises:
        ModelError: as `refuse_special`. OSError: the copy cannot be written.
    """
    with target.open("wb") as copy:
        copy.writelines(_blocks(file))


def unreadable(file: Path, error: OSError) -> ModelError:
    return ModelError(f"cannot be read: {error.strerror or error}", where=str(file))


def _blocks(file: Path) -> Iterator[bytes]:
    try:
        yield from read_blocks(file, most=MOST_WEIGHTS)
    except OSError as error:
        raise unreadable(file, error) from None


def _json(file: Path, most: int) -> Any:
    try:
        return parse_json(read_file(file, most=most))
    except OSError as error:
        raise unreadable(file, error) from None
    except ValueError as error:
        raise ModelError(f"not JSON: {error}", where=str(file)) from None
