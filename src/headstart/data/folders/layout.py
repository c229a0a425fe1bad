"""What folders are: classes, official parts with classes in them, what wraps these, or what stands beside them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.data.files.endings import MOSTLY_OTHER, ending_of, is_photo, is_submission, is_table, is_text
from headstart.data.files.part_names import UNLABELLED, part_named, parts_among
from headstart.data.files.walk import SAVED, Walk
from headstart.errors import DataError, some_of

OUTER, INNER = "outer", "inner"  # what --class-folders may say
_MOST_WRAPPERS = 4
# Names of parts that are words of their own, and so of classes: a train among vehicles, valid beside invalid.
_WORDS: dict[str, set[str]] = {"train": set(), "valid": {"invalid"}}
ONE_A_CLASS = "one folder a class: roses/1.jpg, tulips/2.jpg (or train/roses/1.jpg, test/tulips/2.jpg)"


@dataclass(frozen=True)
class Layout:
    """The folders whose inner folders are classes, with the official part of each, and notes on what was guessed."""

    roots: dict[str, str | None]
    notes: tuple[str, ...] = ()


def listing(walk: Walk, folder: str) -> tuple[list[str], list[str]]:
    """Names of the visible folders and of the files right in a folder, each sorted.

    Raises:
        DataError: it may not be read.
    """
    try:
        return walk.listing(folder)
    except OSError as error:
        raise DataError(error.strerror or str(error), where=folder or ".", fix="check who may read it") from None


def unwrapped(walk: Walk) -> str:
    """The folder itself, or the one in it, a few deep, that holds all the rest."""
    return _unwrapped(walk, walk.top, stop_at_parts=True)


def layout_of(walk: Walk, folder: str, choice: str | None) -> Layout:
    """Tell classes from parts by their names and by what they hold.

    Args:
        folder: without what wraps it. choice: what the user says where both could be, "outer" or "inner".

    Raises:
        DataError: they cannot be told apart, or there are photos, but no class folders.
    """
    inner, loose = listing(walk, folder)
    inner, notes = _without_saved(walk, folder, inner)
    named = parts_among(inner)
    paths = {name: os.path.join(folder, name) for name in named if named[name] != UNLABELLED}
    roots = {name: root for name, path in paths.items() if (root := _root(walk, path))}
    others = [name for name in inner if name not in named]
    if not paths:
        return Layout({folder: None}, (*notes, *_left_out(walk, folder, [name for name in inner if name in named])))
    one_part = len({named[name] for name in paths}) == 1
    if "train" not in (named[name] for name in roots) and others and (one_part or choice == OUTER):
        if choice != OUTER:
            _refuse_parts_among_classes(walk, folder, list(paths), others)
        return Layout({folder: None}, (*notes, *_said_of_classes(list(paths), others)))
    beside = [name for name in others if _holds_examples(walk, os.path.join(folder, name))]
    if beside and len(paths) < 2 and choice != INNER:
        (name,) = paths
        if choice == OUTER or listing(walk, paths[name])[1]:
            return Layout({folder: None}, (*notes, *_said_of_classes([name], others)))
        within = listing(walk, roots[name])[0]
        what = f"{name} holds folders, as a part does ({some_of(within)}), and beside it are {some_of(beside)}"
        fix = f"--class-folders inner learns from {name} alone, --class-folders outer takes {name} as a class, too"
        raise DataError(what, where=folder or ".", fix=fix)
    taught = any(named[name] == "train" for name in roots)
    if not roots or (not taught and (others or len(roots) < len(paths))):
        raise _no_classes(walk, folder, list(paths), others, loose)
    kept = _known_classes(walk, {name: (root, named[name]) for name, root in roots.items()})
    notes += [f"{name} taken as the {named[name]} part" for name in kept if part_named(name) is None]
    notes += _left_out(walk, folder, [name for name in inner if name not in kept])
    return Layout({root: named[name] for name, root in kept.items()}, tuple(notes))


def class_folders(walk: Walk, root: str) -> tuple[list[str], list[str]]:
    """The folders of classes in a root, and notes on folders in it that are none."""
    inner, notes = _without_saved(walk, root, listing(walk, root)[0])
    named = parts_among(inner)
    aside = [name for name in inner if named.get(name) == UNLABELLED]
    return [name for name in inner if name not in aside], [*notes, *_left_out(walk, root, aside)]


def holds_photos(files: Sequence[str]) -> bool:
    """Whether one of these names is a photo's."""
    return any(map(is_photo, files))


def _unwrapped(walk: Walk, folder: str, *, stop_at_parts: bool) -> str:
    for _ in range(_MOST_WRAPPERS):
        inner, loose = listing(walk, folder)
        inner, _notes = _without_saved(walk, folder, inner)
        if len(inner) != 1 or holds_photos(loose) or _tables_beside(loose) or (stop_at_parts and parts_among(inner)):
            break
        deeper = os.path.join(folder, inner[0])
        folders, files = listing(walk, deeper)
        if not (folders or holds_tables(files) or _few_texts(files)):
            break
        folder = deeper
    return folder


def holds_tables(files: Sequence[str]) -> bool:
    """Whether one of these names is that of a table, and not of a text."""
    return any(map(is_table, files))


def _tables_beside(files: Sequence[str]) -> bool:
    """Whether a table that may be of the folder beside it is among these files."""
    return any(is_table(name) and ending_of(name) not in MOSTLY_OTHER for name in files)


def _few_texts(files: Sequence[str]) -> bool:
    """Whether these are files of many texts: a file a class, or of texts and of labels, as data sets of texts have."""
    stems = [os.path.splitext(name) for name in files]
    by_ending = {ending.lower() for _, ending in stems} & {".pos", ".neg", ".train", ".test"}
    return (
        bool(by_ending)
        or {stem.lower() for stem, _ in stems} >= {"pos", "neg"}
        or bool({"train", "train_text"} & {stem.lower() for stem, ending in stems if ending == ".txt"})
    )


def _root(walk: Walk, part: str) -> str | None:
    """The folder of a part that has the class folders in it: itself, or what it wraps; None: there are none."""
    root = _unwrapped(walk, part, stop_at_parts=False)
    inner, _ = _without_saved(walk, root, listing(walk, root)[0])
    alone = len(inner) == 1 and parts_among(inner)  # test/test/1.jpg
    return None if not inner or alone else root


def _known_classes(walk: Walk, roots: dict[str, tuple[str, str]]) -> dict[str, str]:
    """The roots without those of which the one folder is no class of the training part: test/unknown/1.jpg."""
    taught = {name for root, part in roots.values() if part == "train" for name in listing(walk, root)[0]}
    kept = {}
    for name, (root, part) in roots.items():
        inner = listing(walk, root)[0]
        if part == "train" or not taught or len(inner) > 1 or inner[0] in taught:
            kept[name] = root
    return kept


def _holds_examples(walk: Walk, folder: str) -> bool:
    """Whether photos, texts or folders are right in a folder."""
    folders, files = listing(walk, folder)
    return bool(folders) or holds_photos(files) or any(map(is_text, files))


def _without_saved(walk: Walk, folder: str, inner: list[str]) -> tuple[list[str], list[str]]:
    """The folders without models that were saved among them, which are said."""
    saved = [name for name in inner if os.path.isfile(os.path.join(folder, name, SAVED))]
    notes = [f"not read, since they are saved models: {some_of(saved)}"] if saved else []
    return ([name for name in inner if name not in saved] if saved else inner), notes


def _refuse_parts_among_classes(walk: Walk, folder: str, names: Sequence[str], others: Sequence[str]) -> None:
    """Raises DataError where folders beside classes are called like a part, and are hardly one of the classes."""
    words = {other.lower() for other in others}
    odd = [name for name in names if name.lower() not in _WORDS or not _WORDS[name.lower()] <= words]
    held = [name for name in odd if any(listing(walk, os.path.join(folder, name)))]
    if held:
        what = f"{some_of(held)} is called like a part, and {some_of(others)} beside it like classes"
        inner = listing(walk, os.path.join(folder, held[0]))[0]
        apart = f"name it: --test ELSEWHERE/{held[0]}" if inner else "leave it out, since nothing tells its classes"
        fix = f"--class-folders outer takes {held[0]} as a class, too, as under another name; or move it, and {apart}"
        raise DataError(what, where=folder or ".", fix=fix)


def _said_of_classes(names: Sequence[str], others: Sequence[str]) -> list[str]:
    return [f"{some_of(names)} taken as a class, though parts are called so, since {some_of(others)} are beside it"]


def _left_out(walk: Walk, folder: str, names: Sequence[str]) -> list[str]:
    """A note on folders that nothing is read from, with how many files are in each, where that can be said."""
    if not names:
        return []
    others = ", ".join(f"{name}{files_within(os.path.join(folder, name))}" for name in names)
    return [f"not read, since it is no train, val or test with class folders in it: {others}"]


def files_within(folder: str) -> str:
    """How many files are in a folder, in words to put behind its name; empty where that cannot be said."""
    try:
        return f" ({len(Walk(Path(folder)).files(folder))} files)"
    except DataError:
        return ""


def _no_classes(walk: Walk, folder: str, parts: list[str], others: list[str], loose: list[str]) -> DataError:
    """That the folders say which example is in which part, but not of which class."""
    flat = {name: listing(walk, os.path.join(folder, name)) for name in parts}
    if others:
        what = f"{some_of(parts)} are named like parts, and hold no class folders; {some_of(others)} are beside them"
        fix = f"--class-folders outer takes all of them as classes; {ONE_A_CLASS}"
        return DataError(what, where=folder or ".", fix=fix)
    what = f"{some_of(parts)} are parts, and there are no class folders in {'them' if len(parts) > 1 else 'it'}"
    hint = next((said for _, files in flat.values() if (said := _by_beginning(files))), "")
    tables = [name for name in loose if is_table(name) and not is_submission(name)]
    if tables:
        table = shlex.quote(os.path.join(folder, tables[0]))
        return DataError(
            what, where=folder or ".", fix=f"headstart fit {table} --image-root FOLDER, if it names the photos"
        )
    fix = f"train/cat/1.jpg, train/dog/2.jpg{hint}; or train/metadata.csv with the columns file_name and label"
    inside = {parts_among(parts)[name]: name for name, (_, files) in flat.items() if holds_tables(files)}
    if "train" in inside:
        what = f"{what}; tables are"
        tested = inside.get("test", inside.get("val"))
        more = f" --test {shlex.quote(os.path.join(folder, tested))}" if tested else ""
        fix = f"headstart fit {shlex.quote(os.path.join(folder, inside['train']))}{more}"
    return DataError(what, where=folder or ".", fix=fix)


def _by_beginning(files: Sequence[str]) -> str:
    """That the names of files say their classes, where they do: cat.0.jpg, dog.1.jpg."""
    starts = sorted({name.split(".")[0].rstrip("0123456789_- ") for name in files} - {""})
    return f" (files are called {some_of(starts)}: a folder for each)" if 2 <= len(starts) <= len(files) / 2 else ""
