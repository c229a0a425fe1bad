"""What classes are called, in words that a text model can read: by their own names, or as the user says."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.labels.words_file import read_words
from headstart.errors import DataError, short_name, some_of

NONE = "none"  # what is typed for no names
WHOLE, GONE = 25, 100  # labels of a class up to which its name counts as one more, and from which as none
_MOST_WORDS, _MOST_CHARACTERS = 100, 1000  # of a class; of one of them
_BEFORE = re.compile(r"^((?i:__label__|label[-_:])|[BIOESU]-(?=[A-Z]))")  # fastText's, and tags of spans
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_APART = re.compile(r"[\W_]+")
_SAY_NOTHING = frozenset(
    ["class", "label", "category", "type", "group", "cluster", "id", "number", "kind", "tag", "target"]
)
# As labels are commonly cut short; only where that is the whole name.
_CUT_SHORT = {
    **{"pos": "positive", "neg": "negative", "neu": "neutral", "misc": "miscellaneous", "unk": "unknown"},
    **{"abbr": "abbreviation", "desc": "description", "loc": "location", "num": "number", "org": "organization"},
    **{"per": "person", "pers": "person", "qty": "quantity", "temp": "temperature", "info": "information"},
}


@dataclass(frozen=True)
class ClassWords:
    """Texts that say what classes are, each of which counts as an example of its class where labels are few."""

    texts: tuple[str, ...] = ()
    classes: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))  # (n,) which class each is of

    def __len__(self) -> int:
        return len(self.texts)

    def weights(self, counts: np.ndarray) -> np.ndarray:
        """(n,) how many examples each text counts for; those of a class share one.

        All of it up to 25 labels of the class, and less and less up to 100: measured on eleven sets of texts, a name
        gives 2.3 points at 5 labels a class, and nothing from 25 on (docs/log/2026-11-few-labels.md).

        Args:
            counts: (n_classes,) labels that there are of each class.
        """
        share = np.clip((GONE - counts) / (GONE - WHOLE), 0, 1)
        return np.asarray((share / np.maximum(1, np.bincount(self.classes, minlength=len(counts))))[self.classes])


def words_of(classes: Sequence[str], asked: Any = None) -> ClassWords:
    """The texts for some classes.

    Args:
        classes: their names.
        asked: None: the names themselves, where they have a meaning; "none": nothing; else other words for classes,
            a text or several each: a mapping, or the path of a JSON object or of a table with a class and a text a row.

    Raises:
        DataError: a file that cannot be read, a class that is none of these, or words that are no texts.
    """
    if isinstance(asked, str) and asked.strip().lower() == NONE:
        return ClassWords()
    given = {} if asked is None else _given(asked, classes)
    own = {name: readable(name) for name in classes if name not in given}
    often = Counter(own.values())
    words = {name: given.get(name) or ([own[name]] if own[name] and often[own[name]] == 1 else []) for name in classes}
    if sum(map(bool, words.values())) < 2:  # one name says nothing of what is between the classes
        if asked is None:
            return ClassWords()
        what = "there are words for one class only, which say nothing of what is between classes"
        raise DataError(what, where="--names", fix="give words for another class too, or --names none")
    texts = [(text, number) for number, name in enumerate(classes) for text in words[name]]
    return ClassWords(tuple(text for text, _ in texts), np.array([number for _, number in texts], np.int64))


def readable(name: str) -> str:
    """A class's name in words: "card arrival" of card_arrival; empty where it says nothing (0, A, class_3).

    Words stand apart, in small letters, without what tools put before them; those that are commonly cut short are
    written out.
    """
    plain = _BEFORE.sub("", unicodedata.normalize("NFKC", name).strip())
    words = _APART.sub(" ", _CAMEL.sub(" ", plain)).lower().split()
    if len(words) == 1 and words[0] in _CUT_SHORT:
        return _CUT_SHORT[words[0]]
    return " ".join(words) if any(map(_says_something, words)) else ""


def _says_something(word: str) -> bool:
    """Whether it is a word: of two letters of an alphabet, or one of a script whose letters are words."""
    letters = [letter for letter in word if letter.isalpha()]
    return word not in _SAY_NOTHING and (len(letters) > 1 or any(ord(letter) > 0x2E7F for letter in letters))


def _given(asked: Any, classes: Sequence[str]) -> dict[str, list[str]]:
    """The user's words, by class."""
    where = "--names"
    if isinstance(asked, str) and not asked.strip():
        raise DataError("an empty name", where=where, fix="a file, or none")
    if isinstance(asked, str | Path):
        where, given = str(asked), read_words(Path(asked), set(classes))
    elif isinstance(asked, Mapping):
        given = [(f"names[{name!r}]", name, text) for name, texts in asked.items() for text in _several(texts)]
    else:
        fix = "a mapping of classes to texts, a file, or 'none'"
        raise DataError(f"names is a {type(asked).__name__}", where="names", fix=fix)
    if not given:
        raise DataError("no words in it", where=where, fix="give words for two classes at least, or --names none")
    words, whose = dict[str, list[str]](), dict[str, str]()  # of each class; the class of each text
    for place, name, text in given:
        if name not in classes:
            raise DataError(f"{name!r} is no class", where=place, fix=f"the classes are {some_of(classes)}")
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"no text for class {name!r}", where=place, fix="give words that say what it is")
        text = text.strip()[:_MOST_CHARACTERS]
        if text in whose:
            again = "twice" if whose[text] == name else f"for {whose[text]!r} too"
            raise DataError(f"{short_name(text)!r} stands {again}", where=place, fix="give each class words of its own")
        whose[text] = name
        words.setdefault(name, []).append(text)
        if len(words[name]) > _MOST_WORDS:
            raise DataError(f"over {_MOST_WORDS} texts for class {name!r}", where=where, fix="give the best of them")
    return words


def _several(texts: Any) -> Sequence[Any]:
    return texts if isinstance(texts, list | tuple) else [texts]
