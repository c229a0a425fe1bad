"""Data at an address (s3://, gs://, hf://, https://, ...): fetched to the cache by fsspec, since the user typed it.

Whatever fsspec and its file systems know of credentials is theirs: none are looked for, or kept, here. Only what was
typed is fetched; a name in a table that is an address never is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from headstart.data.files.names import SPECIAL, expanded
from headstart.data.files.walk import Walk
from headstart.errors import DataError, UserError, first_line
from headstart.inputs.paths import is_address
from headstart.progress import note
from headstart.storage import living
from headstart.storage.fetched import ROOM, say_fetched
from headstart.storage.kept import cache_root, free_bytes, megabytes, no_room
from headstart.storage.places import cannot_write

_MOST_FILES = 1_000_000
_MOST_UNSAID = 2**34  # bytes of a file whose size nobody says
_LEFT_FREE = 2**30  # bytes of the disk that stay free
_BLOCK = 2**20
_AT_ONCE = 8  # files
_NEEDS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp",
          "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs", "sftp": "paramiko", "ssh": "paramiko"}  # fmt: skip
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "sha256", "blob_id", "generation", "LastModified",
             "last_modified", "updated", "mtime", "created")  # fmt: skip
_EXTRA = "pip install 'headstart[remote]'"


@dataclass(frozen=True)
class _Remote:
    """A file that is somewhere else."""

    path: str  # as the file system has it
    name: str  # within what was typed
    size: int | None
    version: str


def fetched(given: Any) -> Any:
    """What was typed; of an address the file or folder in the cache that has what is there now.

    Raises:
        DataError: fsspec is not installed or does not know the address, or nothing is there that may be fetched.
        OutputError: the disk has no room for it.
    """
    if not isinstance(given, str) or not is_address(given):
        return given
    with _somebody_elses(given):
        system = _file_system(given)
        files, folder = _there(system, given)
    return _all_of(system, given, files, folder)


def _file_system(address: str) -> Any:
    """The file system of fsspec that an address is for."""
    if "::" in address:
        raise _refusal("an address within an address", address, "name the inner one, unpacked")
    try:
        import fsspec
    except ImportError:
        raise _refusal("an address, and fsspec is not installed", address, _EXTRA) from None
    protocol = address.partition("://")[0].lower()
    try:
        return fsspec.core.url_to_fs(address)[0]
    except ImportError as error:
        fix = f"{_EXTRA} {_NEEDS.get(protocol, '')}".strip()
        raise _refusal(f"an address of {protocol}: {first_line(error)}", address, fix) from None
    except ValueError:
        what = f"an address of {protocol!r}, which fsspec does not know"
        raise _refusal(what, address, "download it first, or name a path") from None


def _path(address: str) -> str:
    """An address as its file system has it."""
    import fsspec

    return str(fsspec.core.url_to_fs(address)[1])


def _there(system: Any, address: str) -> tuple[list[_Remote], bool]:
    """The files at an address, and whether it is a folder, or a pattern of files.

    Raises:
        DataError: nothing is there, or too much.
    """
    if any(sign in _named(address) for sign in (*SPECIAL, "{")):
        return _of_pattern(system, address), True
    path = _path(address)
    info = system.info(path)
    if info["type"] != "directory":
        return [_remote(info, path, _last(path))], False
    found: list[_Remote] = []
    for folder, _, files in system.walk(path, detail=True):
        inside = folder[len(path) :].strip("/")
        if any(map(Walk.ignores, filter(None, inside.split("/")))):
            continue
        found += [_remote(i, i["name"], f"{inside}/{n}".strip("/")) for n, i in files.items() if not Walk.ignores(n)]
        if len(found) > _MOST_FILES:
            raise _refusal(f"more than {_MOST_FILES:,} files", address, "name a smaller folder, or shards")
    if not found:
        raise _refusal("no files", address, "check the address")
    return found, True


def _of_pattern(system: Any, address: str) -> list[_Remote]:
    found: dict[str, Any] = {}
    for number, one in enumerate(expanded(address)):
        if number > _MOST_FILES:
            raise _refusal(f"more than {_MOST_FILES:,} files", address, "name fewer")
        path = _path(one)
        if any(sign in _named(path) for sign in SPECIAL):
            found |= system.glob(path, detail=True)
        else:
            found[path] = system.info(path)
    files = {path: info for path, info in found.items() if info["type"] != "directory"}
    if not files:
        raise _refusal("no file is called so", address, "check the pattern")
    folders = [_named(path).split("/")[:-1] for path in files]
    deep = next((n for n, each in enumerate(zip(*folders, strict=False)) if len({*each}) > 1), min(map(len, folders)))
    return [_remote(info, path, "/".join(_named(path).split("/")[deep:])) for path, info in files.items()]


def _remote(info: dict[str, Any], path: str, name: str) -> _Remote:
    """What is known of a file; raises DataError where its name leads out of the folder that it will be in."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise DataError("a file's name that is no name", where=repr(name)[:200], fix="call it otherwise")
    size = info.get("size")
    version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
    return _Remote(path, name, size if isinstance(size, int) and size >= 0 else None, version)


def _all_of(system: Any, address: str, files: list[_Remote], folder: bool) -> Path:
    """The files in a folder of the cache that is theirs as long as they do not change."""
    told = json.dumps([address, sorted((f.name, f.size, f.version) for f in files)])
    place = cache_root() / ROOM / hashlib.sha256(told.encode()).hexdigest()[:24]
    title = next((part for part in reversed(address.split("/")) if re.fullmatch(r"[\w. -]*\w[\w. -]*", part)), "data")
    root = place / title if folder else place
    new = [file for file in files if not _is_here(root / file.name, file)]
    size = sum(file.size or 0 for file in new)
    if free_bytes(cache_root()) < size + _LEFT_FREE and new:
        raise no_room(f"what is at {without_secrets(address)}", size + _LEFT_FREE, cache_root())
    living.mark(cache_root(), place)  # until this process ends
    say_fetched(place, without_secrets(address))  # before it is there: what a kill leaves of it can be removed
    if new:
        files_of = f"{len(new):,} files" if len(new) > 1 else "a file"
        note(f"fetching {files_of}, {megabytes(size)}, from {without_secrets(address)} to {root}")
        with ThreadPoolExecutor(_AT_ONCE) as pool, _somebody_elses(address):
            for _ in pool.map(partial(_fetch, system, place, root), new):
                pass
    return root if folder else root / files[0].name


def _is_here(path: Path, file: _Remote) -> bool:
    """Whether a file was fetched: it is there whole or not at all."""
    with suppress(OSError):
        return file.version != "" and path.stat().st_size == file.size
    return False


def _refusal(what: str, address: str, fix: str) -> DataError:
    """The error of an address that cannot be read."""
    return DataError(what, where=without_secrets(address), fix=fix)


def without_secrets(address: str) -> str:
    """An address without what may be a secret: whose name it is asked in, and what stands behind a question mark."""
    if "://" not in address:  # a path, as most file systems have it
        return address
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{_named(f'{scheme}://{path}').partition('://')[2]}"


def _named(address: str) -> str:
    """What names files in it: on the web a question mark begins what a server is told besides, elsewhere it stands for
    any letter."""
    return address.partition("?")[0] if address.lower().startswith(("http://", "https://")) else address


def _unspoken(text: str, address: str) -> str:
    """What somebody else says of an address, without what may be a secret in it."""
    rest = address.partition("://")[2]
    for secret in (rest.partition("/")[0].rpartition("@")[0], rest[len(_named(address)) - len(address) :]):
        text = text.replace(secret, "...") if secret and secret != rest else text
    return text


def _fetch(system: Any, place: Path, root: Path, file: _Remote) -> None:
    """Fetch one file, of which no more is taken than was said."""
    home = root / file.name
    allowed = _MOST_UNSAID if file.size is None else file.size
    unfinished = living.temporary(cache_root(), place / home.name)  # where who sweeps looks
    try:
        with system.open(file.path, "rb") as source:
            _copied(source, unfinished, home, allowed, file)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _copied(source: Any, unfinished: Path, home: Path, allowed: int, file: _Remote) -> None:
    taken = 0
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        target = unfinished.open("wb")
    except OSError as error:
        raise cannot_write(home, error) from error
    with target:
        while block := source.read(_BLOCK):
            taken += len(block)
            if file.size is None and free_bytes(cache_root()) < _LEFT_FREE:
                raise no_room(f"what is at {without_secrets(file.path)}", taken + _LEFT_FREE, cache_root())
            if taken > allowed:
                what = f"more than {allowed:,} bytes, as it was said to have"
                raise _refusal(what, file.path, "try it again, when nothing writes there")
            try:
                target.write(block)
            except OSError as error:
                raise cannot_write(home, error) from error
    if file.size not in (None, taken):
        what = f"{taken:,} bytes came, of {file.size:,}"
        raise _refusal(what, file.path, "try it again, when nothing writes there")
    unfinished.replace(home)


def _last(path: str) -> str:
    return _named(path).rstrip("/").rpartition("/")[2]


@contextmanager
def _somebody_elses(address: str) -> Iterator[None]:
    """While a file system of fsspec is at work: each has errors of its own."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # fsspec says of a server that cannot be reached that there is no such file, too
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        if isinstance(cause, FileNotFoundError):
            raise _refusal("nothing is there", address, "check the address") from None
        fix = "check the address, and the credentials that fsspec has for it"
        raise _refusal(f"cannot be fetched: {_unspoken(first_line(cause), address)}", address, fix) from None
