"""What a reader has to beat: the sentence of the text that is most like the question, as the answer."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from headstart.answering.metrics import Predicted, asked
from headstart.answering.sentences import sentences
from headstart.values import Passages

_WORD = re.compile(r"\w\w+")
Vector = dict[str, float]  # a weight a word


def by_sentence(passages: Passages, where: Sequence[str]) -> list[Predicted]:
    """For each question the sentence of its context with the greatest TF-IDF cosine; of equals, the first.

    It never gives no answer. A context is held in memory as its words while the questions about it are answered, and of
    all contexts only how many sentences each word is in.

    Weights: count of the word in the sentence times ln((1 + n) / (1 + sentences with the word)) + 1, each vector of
    length 1, over lower-cased words of two characters or more: what scikit-learn's TfidfVectorizer does by default.
    Source: Salton and Buckley, Term-Weighting Approaches in Automatic Text Retrieval, 1988 (tf-idf and cosine).
    """
    rarity = _rarity(passages.contexts)
    found = asked(passages, where)
    about = defaultdict(list)
    for row, context in enumerate(passages.context.tolist()):
        about[context].append(row)
    for context, rows in about.items():
        text = passages.contexts[context]
        places = list(sentences(text))
        index = _index([_vector(text[start:stop], rarity) for start, stop in places])
        for row in rows:
            best, cosine = _most_like(_vector(passages.questions[row], rarity), index)
            start, stop = places[best]
            found[row] = replace(found[row], text=text[start:stop], start=start, confidence=cosine)
    return found


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _rarity(contexts: Iterable[str]) -> Vector:
    """Inverse document frequency of each word, a sentence being the document."""
    n, having = 0, Counter[str]()
    for text in contexts:
        for start, stop in sentences(text):
            n += 1
            having.update(set(_words(text[start:stop])))
    return {word: math.log((1 + n) / (1 + some)) + 1 for word, some in having.items()}


def _vector(text: str, rarity: Vector) -> Vector:
    """Of length 1; words that no context has are left out."""
    weights = {word: count * rarity[word] for word, count in Counter(_words(text)).items() if word in rarity}
    length = math.hypot(*weights.values())
    return {word: weight / length for word, weight in weights.items()}


def _index(vectors: Iterable[Vector]) -> dict[str, list[tuple[int, float]]]:
    """Of each word the sentences that have it, with its weight there."""
    index = defaultdict(list)
    for row, vector in enumerate(vectors):
        for word, weight in vector.items():
            index[word].append((row, weight))
    return index


def _most_like(vector: Vector, index: dict[str, list[tuple[int, float]]]) -> tuple[int, float]:
    """The sentence with the greatest cosine, and that."""
    cosines = defaultdict[int, float](float)
    for word, weight in vector.items():
        for row, other in index.get(word, ()):
            cosines[row] += weight * other
    return max(cosines.items(), key=lambda item: (item[1], -item[0]), default=(0, 0.0))
