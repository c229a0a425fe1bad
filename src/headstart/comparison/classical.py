"""What was done before there were pre-trained models: colours counted, words weighed, and a linear head on that."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np

from headstart.adapt.basis import fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.backbone import Features, Kind, Matrix
from headstart.clock import Budget
from headstart.comparison.contest import Contest, Outcome
from headstart.encode.machine import cores
from headstart.inputs.image import open_known
from headstart.storage.matrix import room_for
from headstart.values import Dataset

_BINS = (16, 4, 4)  # of hue, saturation and value
_SEEN = 128  # pixels, about, of the shorter side that colours are counted on
_WORDS = 2000  # words, and pairs of neighbouring ones, at most: of a matrix as wide the directions are found in seconds
_READ = 2000  # characters of a text
_COUNTED = 20_000  # texts by which words are chosen
_BLOCK = 512  # texts at a time
# Letters of scripts that do not part words are taken one by one, and in pairs.
_ALONE = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+")


# rows learned from -> features of these and of the test part, and seconds that the former took
Represent = Callable[[np.ndarray], tuple[Matrix, Matrix, float]]


@dataclass(frozen=True)
class Representation:
    """A representation of examples that no model was trained for."""

    key: str
    title: str
    features: Callable[[Contest], Represent]


@dataclass(frozen=True)
class Classical:
    """The linear head of the task on such features; the penalty by cross-validation, as the probe's."""

    contest: Contest
    features: Represent

    def __call__(self, rows: np.ndarray, seed: int, within: Budget) -> Outcome:
        """Learn from these rows."""
        train, test, seconds = self.features(rows)
        begun, dataset = within.now(), self._dataset
        basis = fit_basis(train, dataset.weights_of(rows))
        head = fit_probe(dataset, rows, Features(train, "", 0, rows), basis=basis, seed=seed, within=within).head
        return Outcome(head=head, outputs=head.logits(test), seconds=seconds + within.now() - begun)

    @cached_property
    def _dataset(self) -> Dataset:
        """The examples, of which near duplicates are not sought in the features: a pre-trained model sees them."""
        modality: Any = replace(self.contest.dataset.modality, look_alikes=False)
        return replace(self.contest.dataset, modality=modality)


@dataclass(frozen=True)
class Colours:
    """Colour histograms of all photos, made once."""

    contest: Contest

    def __call__(self, rows: np.ndarray) -> tuple[Matrix, Matrix, float]:
        """Of these rows and of the test part."""
        everything, matrix, each = self._counted
        test = np.searchsorted(everything, self.contest.test)
        return matrix[np.searchsorted(everything, rows)], matrix[test], each * len(rows)

    @cached_property
    def _counted(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Rows, their histograms, and seconds that one takes."""
        now, everything = self.contest.budget.now, np.union1d(self.contest.train, self.contest.test)
        begun = now()
        with ThreadPoolExecutor(cores()) as pool:
            histograms = list(pool.map(lambda row: colour_histogram(self.contest.dataset, row), everything.tolist()))
        return everything, np.stack(histograms), (now() - begun) / len(everything)


def colour_histogram(dataset: Dataset, row: int) -> np.ndarray:
    """(256,) float32: the square roots of the shares of a photo's pixels with each hue, saturation and value.

    Source: Swain and Ballard, Color Indexing, IJCV 1991; square roots, so that differences are Hellinger's distances.
    """
    photo = open_known(dataset.inputs[row], dataset.checked_digests[row], near=_SEEN)
    photo.thumbnail((2 * _SEEN, 2 * _SEEN))
    pixels = np.asarray(photo.convert("HSV"), dtype=np.int64).reshape(-1, 3)
    places = [pixels[:, i] * bins // 256 for i, bins in enumerate(_BINS)]
    cells = np.ravel_multi_index(places, _BINS)
    return np.sqrt(np.bincount(cells, minlength=math.prod(_BINS)) / len(pixels)).astype(np.float32)


def _words(contest: Contest, rows: np.ndarray) -> tuple[Matrix, Matrix, float]:
    dataset, begun = contest.dataset, contest.budget.now()
    compare = dataset.modality.compare
    weighed = Weighed.of(_each(dataset, rows), most=_WORDS if compare is None else _WORDS // 4)
    train = weighed.matrix(_each(dataset, rows), compare)
    seconds = contest.budget.now() - begun
    return train, weighed.matrix(_each(dataset, contest.test), compare), seconds


def _each(dataset: Dataset, rows: np.ndarray) -> list[tuple[str, ...]]:
    """The texts of each input: one, or two."""
    inputs = (dataset.inputs[row] for row in rows.tolist())
    return [tuple(map(str, given)) if isinstance(given, tuple) else (str(given),) for given in inputs]


@dataclass(frozen=True)
class Weighed:
    """Words with their weights, chosen from the texts that are learned from.

    Source: Sparck Jones, A statistical interpretation of term specificity, Journal of Documentation 28, 1972; the
    logarithm of counts and the smoothed weight are those of Manning et al., Introduction to Information Retrieval,
    2008.
    """

    place: dict[str, int]  # of each word in a vector
    weight: np.ndarray  # (d,) float32

    @staticmethod
    def of(inputs: Sequence[tuple[str, ...]], *, most: int) -> Weighed:
        """The words, and pairs of neighbouring words, that the most texts have; equally many: in their order."""
        texts = [text for given in inputs[:: math.ceil(len(inputs) / _COUNTED)] for text in given]
        having = Counter[str]()
        for text in texts:
            having.update(set(words_of(text)))
        chosen = sorted(having, key=lambda word: (-having[word], word))[:most] or [""]
        counts = np.array([having[word] for word in chosen])
        weight = np.log((1 + len(texts)) / (1 + counts)) + 1
        return Weighed({word: i for i, word in enumerate(chosen)}, weight.astype(np.float32))

    def matrix(self, inputs: Sequence[tuple[str, ...]], compare: Callable[..., np.ndarray] | None) -> Matrix:
        """(n, d) float32, rows of length 1; of pairs of texts, (n, 4 d) as the modality compares them."""
        first = self._block(inputs[:1], compare)
        out = room_for(len(inputs), first.shape[1])
        for start in range(0, len(inputs), _BLOCK):
            some = inputs[start : start + _BLOCK]
            out[start : start + len(some)] = self._block(some, compare)
        return out

    def _block(self, inputs: Sequence[tuple[str, ...]], compare: Callable[..., np.ndarray] | None) -> np.ndarray:
        columns = [self._vectors(texts) for texts in zip(*inputs, strict=True)]
        return columns[0] if compare is None else compare(*columns)

    def _vectors(self, texts: Iterable[str]) -> np.ndarray:
        vectors = []
        for text in texts:
            row, counts = np.zeros(len(self.place), np.float32), Counter(words_of(text))
            known = {self.place[word]: 1 + math.log(count) for word, count in counts.items() if word in self.place}
            row[list(known)] = list(known.values())
            row *= self.weight
            vectors.append(row / max(1e-12, float(np.linalg.norm(row))))
        return np.stack(vectors).astype(np.float32)


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, and the pairs of words that stand side by side."""
    words = _WORD.findall(text[:_READ].lower())
    return [*words, *(f"{a} {b}" for a, b in pairwise(words))]


CLASSICAL: dict[Kind, Representation] = {
    "image": Representation("colour-histogram", "colour histogram", Colours),
    "text": Representation("tf-idf", "TF-IDF", lambda contest: partial(_words, contest)),
}
