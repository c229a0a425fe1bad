"""What a store says of the works that processes compute into it: which were begun, what of them is missing.

So who runs a shard again goes on, two at once write the same file, and what is missing can be said. Each work has a
note in the folder `works`.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeGuard

from headstart.encode import generations
from headstart.encode.forms import form_in
from headstart.encode.segments import PART, is_part, open_segment
from headstart.encode.store import FEATURES, facts_of, folder_of, store_folder
from headstart.encode.work import Shard, Work
from headstart.errors import UserError, some_of
from headstart.storage.files import read_json
from headstart.storage.places import is_key
from headstart.storage.shared import write_first, write_shared
from headstart.values import Dataset

_WORKS = "works"
_OF = re.compile(r"([0-9a-f]{16})\.of-([1-9]\d{0,8})")
_MOST_TOLD = 20  # shards by their numbers
_MOST_NOTE = 2**20  # bytes


def begin(store: Path, work: Work, shard: Shard) -> None:
    """Say in the store what is computed, and in how many shards.

    Raises:
        OutputError: nothing can be written there.
    """
    if not write_first(_note(store, work), _noted(work)) and _read(_note(store, work)) != work:
        write_shared(_note(store, work), _noted(work))  # what stood there was damaged
    if not is_merged(store, work):
        write_shared(_note(store, work).with_suffix(f".of-{shard.of}"), "")


def works(store: Path) -> list[Work]:
    """All that was begun in a store, what was asked for last behind the others."""
    found = []
    for path in (store / _WORKS).glob("*.json"):
        work = _read(path)
        with suppress(OSError):
            if work is not None:  # else somebody else's
                found.append((path.stat().st_mtime_ns, work.name, work))
    return [work for *_, work in sorted(found, key=lambda one: one[:2])]


def _read(note: Path) -> Work | None:
    """The work that a note is of; None: it is damaged, or no note."""
    told = _told(note)
    try:
        work = Work(**{name: told[name] for name in Work.__dataclass_fields__ if name in told})
    except (TypeError, KeyError):
        return None
    return work if work.is_possible and note.stem == work.name else None


def _told(note: Path) -> dict[str, Any]:
    try:
        told = read_json(note, most=_MOST_NOTE)
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _noted(work: Work, **more: object) -> str:
    return json.dumps({**asdict(work), **more}, indent=1) + "\n"


def is_begun(store: Path, work: Work) -> bool:
    """Whether the store says that it is computed."""
    return _read(_note(store, work)) == work


def say_wanted(store: Path, work: Work) -> None:
    """Of works of data that have changed the one that was asked for last counts; where that cannot be written, as
    before."""
    with suppress(OSError):
        os.utime(_note(store, work))


def is_merged(store: Path, work: Work) -> bool:
    """Whether all of it was computed and is there, gathered into shards: its parts may be gone then.

    Raises:
        UserError: the shards cannot be read.
    """
    told, own = _told(_note(store, work)), folder_of(work.key)
    if told.get("merged") is True:
        known = told.get("generations", {own: 1})  # of before: nobody knows more
        if not _are_numbers(known) or (known.get(own, 0) < 1 and told.get("empty") is not True):
            return False
        return all(gathered_in(store, room) >= number for room, number in known.items())
    return False


def _are_numbers(told: Any) -> TypeGuard[dict[str, int]]:
    """Whether these are rooms of a store, with the number of a generation each."""
    return isinstance(told, dict) and all(is_key(room) and type(number) is int for room, number in told.items())


def gathered_in(store: Path, room: str) -> int:
    """The number of the generation that a table has, by the name of its folder; 0: there is none that is whole.

    Raises:
        UserError: it cannot be read.
    """
    folder = store / FEATURES / room
    facts = facts_of(folder)
    try:
        return 0 if facts is None else generations.last_number(folder, facts["width"])
    except FileNotFoundError:
        return 0
    except OSError as error:
        fix = "run this as who may read there, or choose another --store"
        where = str(error.filename or folder)
        raise UserError(f"cannot be read: {error.strerror or error}", where=where, fix=fix) from error


def waiting_rooms(store: Path, work: Work) -> dict[Path, set[str]]:
    """The folders of tables in which its parts have to be, until they are gathered, and the parts that are there.

    Of photos it is known what they look like, too, which lies in tables of its own; of texts it is not.
    """
    found = {room: _part_names(room, work) for room in rooms_in(store)}
    return {room: parts for room, parts in found.items() if room.name == folder_of(work.key) or parts}


def say_merged(store: Path, work: Work, rooms: Iterable[str], *, loss: float | None = None) -> None:
    """Write down that all of it is gathered.

    Args:
        rooms: names of the tables that have something of it. loss: what int8 has cost; None: it is not kept in that.
    """
    numbers = {room: gathered_in(store, room) for room in sorted({*rooms, folder_of(work.key)})}
    more: dict[str, object] = {} if loss is None else {"loss": loss}
    if not numbers[folder_of(work.key)]:
        more["empty"] = True  # none of its examples could be used
    told = _noted(work, merged=True, generations=numbers, **more)
    if json.loads(told) != _told(_note(store, work)):
        write_shared(_note(store, work), told)
    for path in _note(store, work).parent.glob(f"{work.name}.of-*"):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def say_damaged(store: Path, work: Work) -> None:
    """Write down that not all of it is there any more, so that its shards look at it again."""
    write_shared(_note(store, work), _noted(work))


def missing(store: Path, work: Work, *, closely: bool = False) -> list[int]:
    """The chunks whose parts are not there; looked at closely, not whole."""
    if is_merged(store, work):
        return []
    found: set[int] = set()
    for room, there in waiting_rooms(store, work).items():
        facts, own = facts_of(room), room.name == folder_of(work.key)
        width = work.width if own or facts is None else facts["width"]
        for number in range(work.chunks):
            part = work.part(number)
            if part not in there or (closely and open_segment(room / part, width) is None):
                found.add(number)
    if not work.parts_in(store).is_dir():
        found.update(range(work.chunks))
    return [] if found and is_merged(store, work) else sorted(found)  # by somebody else, meanwhile


def rooms_in(store: Path) -> list[Path]:
    """The folders of a store's tables."""
    try:
        found = [Path(one.path) for one in os.scandir(store / FEATURES) if is_key(one.name) and one.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found)


def _part_names(room: Path, work: Work) -> set[str]:
    """The names of the parts of a work that lie in a table's folder."""
    try:
        return {one.name for one in os.scandir(room) if work.has(Path(one.name))}
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # which is said where it is read
        return set()


def unfinished(store: Path, begun: Sequence[Work], lacking: Mapping[str, Sequence[int]]) -> list[str]:
    """What is missing of some works, in words: "photos, efficientnet_lite0: shards 3, 7 of 100 are missing".

    Args:
        lacking: the chunks that are missing of each, by its name.
    """
    done = [(number, work) for number, work in enumerate(begun) if not lacking[work.name]]
    told = []
    for number, work in enumerate(begun):
        changed = any(later > number and other.is_of_the_same(work) for later, other in done)
        if lacking[work.name] and not changed:  # else the data have changed since, and all is there
            told.append(f"{work.data}, {work.model}: {_shards(lacking[work.name], work.chunks, _of(store, work))}")
    return told


def orphans_in(store: Path, begun: Sequence[Work]) -> list[Path]:
    """Parts of works that no note tells of."""
    names = {work.name for work in begun}
    parts = [Path(one.path) for room in rooms_in(store) for one in os.scandir(room) if is_part(Path(one.name))]
    return [path for path in parts if path.name.removeprefix(PART).partition("-")[0] not in names]


def unfinished_notes() -> list[str]:
    """What a fit says of the store that it is given."""
    store = store_folder()
    if store is None:
        return []
    begun = works(store)
    told = unfinished(store, begun, {work.name: missing(store, work) for work in begun})
    return [f"{what}: their features are computed here" for what in told]


def lacking_notes(known: float | None) -> list[str]:
    """What a fit says of features that its store lacked. Args: known: the share that it had; None: none are made."""
    if store_folder() is None or known is None or known == 1:
        return []
    return [f"{1 - known:.1%} of the features were not in the store, and were computed here"]


def kept_notes(key: str | None = None) -> list[str]:
    """What a fit says of features that are kept in int8. Args: key: of its features; None: nobody knows yet."""
    store = store_folder()
    if form_in(store) != "int8" or store is None:
        return []
    losses = [loss_of(store, work) for work in works(store) if key in (None, work.key)]
    known = [loss for loss in losses if loss is not None]
    cost = f"which costs {share_lost(max(known))}" if known else "whose cost headstart encode --merge measures"
    return [f"the store keeps features in int8, {cost}; a saved model answers from features as they are computed"]


def share_lost(loss: float) -> str:
    """What int8 has cost, in words."""
    return f"{loss:.1%} of them (root mean square)"


def loss_of(store: Path, work: Work) -> float | None:
    """What int8 has cost it; None: not known."""
    loss = _told(_note(store, work)).get("loss")
    return loss if isinstance(loss, float) and math.isfinite(loss) and loss >= 0 else None


def model_in(store: Path | None, dataset: Dataset) -> str | None:
    """The model by which these data are encoded in a store; None: by none, or by several."""
    kind = dataset.modality.name
    models = {work.model for work in works(store) if (work.data, work.kind) == (dataset.name, kind)} if store else set()
    return models.pop() if len(models) == 1 else None


def _note(store: Path, work: Work) -> Path:
    return store / _WORKS / f"{work.name}.json"


def _of(store: Path, work: Work) -> int:
    """In how many shards it is computed: as was said last."""
    marks = []
    for path in (store / _WORKS).glob(f"{work.name}.of-*"):
        with suppress(FileNotFoundError):  # merged at this moment
            if _OF.fullmatch(path.name):
                marks.append((path.stat().st_mtime_ns, path.name))
    return int(max(marks)[1].rpartition("-")[2]) if marks else 1


def _shards(chunks: Sequence[int], count: int, of: int) -> str:
    numbers = sorted({-(-of * (chunk + 1) // count) for chunk in chunks})  # the shard that ends behind it
    if len(numbers) == 1:
        return f"shard {numbers[0]} of {of} is missing"
    return f"shards {some_of([str(number) for number in numbers], _MOST_TOLD)} of {of} are missing"
