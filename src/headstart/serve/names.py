"""Names that clients choose, where they become names of folders."""

from __future__ import annotations

from headstart.errors import short_name
from headstart.serve.refused import RefusedError

_NOT_IN_NAMES = frozenset('/\\:*?"<>|')
_LONGEST = 200  # bytes of a folder's name


def refuse_as_folder(name: str, *, where: str) -> None:
    """Raises RefusedError where a class cannot be the name of a folder, which says it to `fit`."""
    odd = not name.isprintable() or name != name.strip() or name.startswith(".") or name.endswith(".")
    if not name or odd or _NOT_IN_NAMES & {*name} or len(name.encode("utf-8", "replace")) > _LONGEST:
        what = f"{short_name(name)!r} cannot be the name of a folder, and photos lie in folders of classes"
        raise RefusedError(422, what, where=where, fix="choose another name for the class")
