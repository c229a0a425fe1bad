"""What is known of texts beside what they say, and what is odd about it: script, language, length.

The script is told by the names of Unicode's letters, the language by which of a few most frequent words stand in a
text: of a handful of languages, and of texts of a sentence or more. Of the others nothing is said.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from headstart.inputs.modality import Fact, Facts
from headstart.values import Dataset, Finding

_FREQUENT = {  # none of which is a word of another of these languages
    "English": "the and of that it was for with you this are have not what how my",
    "German": "der das ist nicht ein eine ich mit auf von zu wie auch wird dass oder",
    "French": "les des est et une je pas vous pour dans qui avec sur cette mais où",
    "Spanish": "el los las y en es una por con como está pero muy hay cómo qué",
    "Italian": "il gli che è di non per sono della questo anche più nel alla ho perché",
    "Portuguese": "os e não uma meu foi são isso você muito ao pelo também mais até já",
    "Dutch": "het een van niet dat voor zijn ook mijn maar naar deze wordt hoe geen bij",
    "Swedish": "och det att är jag inte på av hur mitt men från också om när ska",
    "Polish": "nie się że jest jak mój czy ale jestem dla przez już tylko może bardzo są",
}
_SETS = {language: frozenset(words.split()) for language, words in _FREQUENT.items()}
_WORD = re.compile(r"[^\W\d_]+")
_HEAD = 2000  # characters of a text that it is judged by
_TOLD = 3  # of a language's frequent words in a text, at least, and twice as many as of any other
_FEWEST = 20  # texts, by which the others are judged
_MOSTLY = 0.9  # of the texts
_LONGER, _LONG = 20, 200  # times as long as the median, and words
_LETTERS = 200  # by which the script is told


def text_facts(dataset: Dataset, known: Any) -> Facts:
    """Of checked texts."""
    return _facts(dataset, [[text] for text in dataset.inputs], ("text-length",))


def pair_facts(dataset: Dataset, known: Any) -> Facts:
    """Of checked pairs of texts, or of questions with their texts."""
    return _facts(dataset, dataset.inputs, ("first-length", "second-length"))


def _facts(dataset: Dataset, inputs: Sequence[Sequence[str]], names: Sequence[str]) -> Facts:
    lengths = np.array([[len(text) for text in texts] for texts in inputs], dtype=np.float64).reshape(-1, len(names))
    columns = (Fact(name, lengths[:, k], "{:,.0f} characters".format) for k, name in enumerate(names))
    first = [texts[0] for texts in inputs]
    scripts, languages = [script_of(text) for text in first], [language_of(text) for text in first]
    findings = (
        *_others(dataset, "odd-script", "in {} letters", scripts),
        *_others(dataset, "odd-language", "{}, as it seems", languages),
        *_lengths(dataset, first),
    )
    return Facts(tuple(columns), findings, tuple(_told(languages)))


def script_of(text: str) -> str:
    """The script that most of a text's letters are of, by Unicode's name: "Latin", "Cyrillic"; empty: no letters."""
    letters = [char for char in text[:_HEAD] if char.isalpha()][:_LETTERS]
    times = Counter(map(_script, letters))
    return times.most_common(1)[0][0] if times else ""


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0].partition("-")[0].capitalize()


def language_of(text: str) -> str:
    """The language that a text of a sentence or more is in, of a few; empty: it cannot be told."""
    words = {word.lower() for word in _WORD.findall(text[:_HEAD])}
    times = sorted(((len(words & frequent), language) for language, frequent in _SETS.items()), reverse=True)
    (most, language), (next_most, _) = times[0], times[1]
    return language if most >= _TOLD and most >= 2 * next_most else ""


def _others(dataset: Dataset, kind: str, said: str, found: Sequence[str]) -> Iterator[Finding]:
    """Findings on texts that are of another kind than nearly all."""
    times = Counter(filter(None, found))
    if times.total() < _FEWEST or (usual := times.most_common(1)[0])[1] < _MOSTLY * times.total():
        return
    for where, one in zip(dataset.where, found, strict=True):
        if one and one != usual[0]:
            yield Finding(kind, where, f"{said.format(one)}; {usual[1]:,} of {times.total():,} are {usual[0]}")


def _lengths(dataset: Dataset, texts: Sequence[str]) -> Iterator[Finding]:
    words = np.array([len(text.split()) for text in texts])
    usual = float(np.median(words)) if len(words) else 0.0
    blank = [not any(char.isalnum() for char in text[:_HEAD]) for text in texts]
    for row in np.flatnonzero((words > max(_LONG, _LONGER * usual)) | np.array(blank, dtype=bool)).tolist():
        reason = f"{words[row]:,} words, and half of the texts have at most {usual:.0f}"
        yield Finding("odd-length", dataset.where[row], "neither a letter nor a digit in it" if blank[row] else reason)


def _told(languages: Sequence[str]) -> Iterator[str]:
    times = Counter(languages)
    untold = times.pop("", 0)
    if len(times) > 1:
        shown = ", ".join(f"{language} {n:,}" for language, n in times.most_common())
        yield f"languages, by their most frequent words: {shown}; not told of {untold:,} (short, or another one)"
