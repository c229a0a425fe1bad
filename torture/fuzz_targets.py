"""What is fuzzed: for each target its seeds, how a case is made from one, and the door that it is handed to."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import doors
import fuzz_case
from fuzz_case import Bundle, Case

Seeds = Sequence[Bundle]
Call = Callable[[], None]
_MODEL = "model"  # the folder in a case that the files of a seed are put into
_NEVER_READ = ("README.md", "report.html", "split.csv", "rejected.csv")  # of a saved folder


@dataclass(frozen=True)
class Target:
    """A kind of input."""

    name: str
    seeds: Callable[[Path], Seeds]  # made with the help of a folder that is not there yet
    make: Callable[[random.Random, Seeds, int, Path], tuple[Case, Call]]  # of a number, for a folder
    must: Literal["work", "be refused", ""] = ""  # what an unchanged seed does; "be refused": changed ones too
    paths: bool = False  # the path itself may be impossible: an OSError with a reason is an answer
    heavy: bool = False  # loads torch, and keeps things in the cache


def targets() -> dict[str, Target]:
    """All of them by name, in the order in which they are run."""
    import fuzz_models
    import fuzz_photos
    import fuzz_tables
    import fuzz_trees

    found = [_photo_target(name) for name in fuzz_photos.FORMATS]
    found += [_table_target(name) for name in fuzz_tables.FORMS]
    found.append(Target("folder", lambda _: [{"photo": body} for body in fuzz_trees.photos()], _folder_case))
    found.append(Target("typed-paths", lambda _: [], _typed_case, paths=True, heavy=True))
    found += [_model_target(name) for name in fuzz_models.FORMS]
    return {target.name: target for target in found}


def _photo_target(name: str) -> Target:
    import fuzz_photos

    must: Literal["work", "be refused", ""] = "work"
    if name in ("animations", "mpo", "small-formats", "foreign-formats", "ico", "tga", "dds", "jpeg2000"):
        must = ""  # which of these are photos is headstart's own to say
    if name == "postscript":
        must = "be refused"
    return Target(name, lambda _: fuzz_photos.seeds(name), _photo_case, must)


def _photo_case(rng: random.Random, seeds: Seeds, number: int, folder: Path) -> tuple[Case, Call]:
    case, path = _changed(rng, seeds, number, folder, strange=False)
    return case, partial(doors.photo, path, near=rng.choice((None, None, 32, 224)))


def _table_target(name: str) -> Target:
    import fuzz_tables

    def make(rng: random.Random, seeds: Seeds, number: int, folder: Path) -> tuple[Case, Call]:
        if name == "parquet" and number >= len(seeds) and rng.random() < 0.4:
            content, told = fuzz_tables.strange_parquet(rng)
            return Case({f"{_MODEL}/t.parquet": content}, told), partial(doors.data, str(folder / _MODEL / "t.parquet"))
        case, path = _changed(rng, seeds, number, folder)
        as_questions = number >= len(seeds) and rng.random() < (0.8 if name == "squad" else 0.15)
        return case, partial(doors.questions if as_questions else doors.data, path)

    return Target(name, lambda _: fuzz_tables.seeds(name), make, "work")


def _folder_case(rng: random.Random, seeds: Seeds, number: int, folder: Path) -> tuple[Case, Call]:
    import fuzz_trees

    case = fuzz_trees.folder(rng, [seed["photo"] for seed in seeds])
    return case, partial(doors.data, str(folder / "data"))


def _typed_case(rng: random.Random, seeds: Seeds, number: int, folder: Path) -> tuple[Case, Call]:
    import fuzz_trees

    case, path, door = fuzz_trees.typed(rng)
    inside = path if path.startswith(("/", "~")) or ":" in path or not case.entries else f"{folder}/{path}"
    calls: dict[str, Call] = {
        "data": partial(doors.data, inside),
        "questions": partial(doors.questions, inside),
        "text": partial(doors.text, inside),
        "photo": partial(doors.inputs, inside),
        "saved": partial(doors.saved, inside, [], predict=False),
        "saved reader": partial(doors.saved_reader, inside, answer=False),
        "weights": partial(doors.weights, inside, "image", build=False),
        "text weights": partial(doors.weights, inside, "text", build=False),
        "reader weights": partial(doors.reader_weights, inside, build=False),
    }
    return case, calls[door]


def _model_target(name: str) -> Target:
    import fuzz_models

    def seeds(work: Path) -> Seeds:
        made = fuzz_models.seeds(name, work)
        return [_steady(seed) for seed in made]

    def make(rng: random.Random, seeds: Seeds, number: int, folder: Path) -> tuple[Case, Call]:
        case, path = _changed(rng, seeds, number, folder)
        return case, _model_call(name, rng, path, folder, plain=number < len(seeds))

    return Target(name, seeds, make, "" if name in ("pth", "h5") else "work", heavy=True)


def _model_call(name: str, rng: random.Random, path: str, folder: Path, *, plain: bool) -> Call:
    """The door of a target of models. What takes long (a network is traced) is done in some of the cases only."""
    once_in_a_while = plain or rng.random() < 0.1
    at = str(folder / _MODEL) if "folder" in name or name.startswith("saved") else path
    photo = str(folder.parent / "input.png")
    if name == "saved-reader":
        return partial(doors.saved_reader, at, answer=once_in_a_while)
    if name.startswith("saved"):
        what = [photo] if name == "saved-photos" else ["where is my card?"]
        if rng.random() < 0.15:  # as a model to start from
            return partial(doors.weights, at, "image" if name == "saved-photos" else "text", build=True)
        return partial(doors.saved, at, what, predict=once_in_a_while)
    if name == "reader-folder":
        return partial(doors.reader_weights, at, build=True)
    if name == "text-folder":
        return partial(doors.weights, at, "text", build=True)
    if name in ("safetensors", "pth") and (plain or rng.random() < 0.7):
        return partial(doors.weights, f"test_vit={at}", "image", build=True)
    if not plain and rng.random() < 0.2:
        return partial(doors.classifier, at)
    if plain and name == "safetensors":
        return partial(doors.weights, f"test_vit={at}", "image", build=True)
    return partial(doors.weights, at, "image", build=True)


def _changed(rng: random.Random, seeds: Seeds, number: int, folder: Path, *, strange: bool = True) -> tuple[Case, str]:
    """The first cases are the seeds as they are; then one of them, changed. And the path of its first file."""
    bundle = seeds[number] if number < len(seeds) else rng.choice(seeds)
    case = Case(bundle, "nothing") if number < len(seeds) else fuzz_case.changed(rng, bundle, seeds, strange=strange)
    entries = tuple(replace(entry, name=f"{_MODEL}/".encode() + entry.name) for entry in case.entries)
    files = {f"{_MODEL}/{name}": body for name, body in case.files.items()}
    which = next(index for index, seed in enumerate(seeds) if seed is bundle)
    first = next(iter(bundle))
    return Case(files, f"seed {which}: {case.told}", entries), str(folder / _MODEL / first)


def _steady(seed: Bundle) -> Bundle:
    """A saved folder without what is never read, and without the seconds that it took: the same in every run."""
    kept = {name: body for name, body in seed.items() if name not in _NEVER_READ}
    for name in ("headstart.json", "metrics.json"):
        if name in kept:
            kept[name] = json.dumps(_without_seconds(json.loads(kept[name])), indent=2).encode()
    return kept


def _without_seconds(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _without_seconds(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_seconds(inner, key) for inner in value]
    if key == "out":
        return "out"
    return 1.0 if isinstance(value, float) and "second" in key else value
