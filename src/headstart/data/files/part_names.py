"""Which names of files, folders and cells say that an example is to learn from, and which that it is to test."""

from __future__ import annotations

import re
from collections.abc import Collection

PART_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
              "test": "test", "testing": "test", "eval": "test"}  # fmt: skip
_OTHERS = ("holdout", "hold-out")  # names of parts, but not of which
UNLABELLED = "unlabelled"  # a part that nothing is learned from
_OF_NAMES = {
    **PART_NAMES,
    "unsup": UNLABELLED,
    "unsupervised": UNLABELLED,
    "unlabeled": UNLABELLED,
    "unlabelled": UNLABELLED,
    "pred": UNLABELLED,
    "trainval": "train",
}
_WHAT = "set|data|dataset|images?|imgs?|photos?|pics|pictures|files?|folder|part|split|seg|txt|texts?|jpe?g|png|resized"
_BESIDE = re.compile(_WHAT)  # words beside the name of a part: train_images, seg_test
_TOGETHER = re.compile(rf"({'|'.join(_OF_NAMES)})(?:{_WHAT})?")  # and one with it: trainset
_WORDS = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
OFFICIAL = tuple(dict.fromkeys(PART_NAMES.values()))  # in their order


def part_named(name: object) -> str | None:
    """An official part ("train", "val", "test") by any of its names; None: a name of none of them."""
    return PART_NAMES.get(str(name).strip().lower())


def names_part(value: object) -> bool:
    """Whether it is a name that parts have, known or not."""
    return part_named(value) is not None or str(value).strip().lower() in _OTHERS


def parts_among(names: Collection[str]) -> dict[str, str]:
    """Those of these names of files or folders that are of parts, in any usual form, and which part each is.

    train, test1, training_set, seg_train, TrainImages; and flowers_train where there is a flowers_test, too.
    """
    read = {name: found for name in names if (found := _words_of(name)) is not None}
    return {
        name: part
        for name, (part, others) in read.items()
        if not others or any(others == more and part != other for other, more in read.values())
    }


def _words_of(name: str) -> tuple[str, tuple[str, ...]] | None:
    """The part that a name says at its beginning or end, and its other words but for those that parts have."""
    words = [word.lower() for word in _WORDS.findall(_CAMEL.sub("_", name))]
    said = [(number, match[1]) for number, word in enumerate(words) if (match := _TOGETHER.fullmatch(word))]
    if len(said) != 1:
        return None
    place, part = said[0]
    if place not in (0, len(words) - 1) and not all(map(_BESIDE.fullmatch, words[place + 1 :])):
        return None
    others = tuple(word for number, word in enumerate(words) if number != place and not _BESIDE.fullmatch(word))
    return _OF_NAMES[part], others
