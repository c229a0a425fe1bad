"""Names that clients choose, where they become names of folders."""

from __future__ import annotations

from collections.abc import Collection

from headstart.data.files.part_names import parts_among
from headstart.errors import short_name
from headstart.serve.refused import RefusedError

_NOT_IN_NAMES = frozenset('/\\:*?"<>|')
_LONGEST = 200  # bytes of a folder's name


def refuse_as_folder(name: str, *, where: str, others: Collection[str] = ()) -> None:
    """Raises RefusedError where a class cannot be the name of a folder, which says it to `fit`.

    Args:
        others: the classes beside it: some names are taken for parts, such as train and test, only together.
    """
    odd = not name.isprintable() or name != name.strip() or name.startswith(".") or name.endswith(".")
    if not name or odd or _NOT_IN_NAMES & {*name} or len(name.encode("utf-8", "replace")) > _LONGEST:
        what = f"{short_name(name)!r} cannot be the name of a folder, and photos lie in folders of classes{_why(name)}"
        raise RefusedError(422, what, where=where, fix="choose another name for the class")
    named = parts_among([*others, name])
    if named:
        what = f"{short_name(next(iter(named)))!r} is what folders of test or training photos are called, not a class"
        raise RefusedError(422, what, where=where, fix="choose another name, for example the thing in the photos")


def _why(name: str) -> str:
    """What of a name no folder's name may have; empty where that is plain to see."""
    wrong = sorted(_NOT_IN_NAMES & {*name})
    if wrong:
        return f": leave out {' and '.join(wrong)}"
    if name.startswith(".") or name.endswith("."):
        return ": leave out the dot at its beginning or end"
    return ": it is too long" if len(name.encode("utf-8", "replace")) > _LONGEST else ""
