"""What training is fed with: nothing is lost on the way, memory is bounded, and time is spent on what is worth most."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from headstart.adapt.batches import Texts, padded_length
from headstart.adapt.linear_objective import LinearObjective, Start
from headstart.adapt.softmax import SOFTMAX
from headstart.adapt.validation import worth_most
from headstart.adapt.word_uncertainty import doubt_by_words
from headstart.backbone import Head

lengths = st.lists(st.integers(1, 512), min_size=1, max_size=60)


def texts_of(lengths: list[int], *, types: bool = False) -> Texts:
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.arange(1, starts[-1] + 1, dtype=np.int32)
    return Texts(ids, starts, 0, (ids % 2).astype(np.int8) if types else None)


@given(lengths, st.booleans())
def test_every_token_of_a_batch_goes_in_once(lengths, types):
    texts = texts_of(lengths, types=types)
    seen = []
    for rows, (ids, mask, *more) in texts.parts(np.arange(len(lengths)), epoch=0):
        assert ids.shape == mask.shape
        assert mask.sum(dim=1).tolist() == [lengths[row] for row in rows]
        assert torch.equal(ids > 0, mask > 0)
        assert len(more) == types
        if types:
            assert torch.equal(more[0], torch.where(mask > 0, ids % 2, 0))
        seen += ids[mask > 0].tolist()
    assert sorted(seen) == texts.ids.tolist()


@given(lengths)
def test_a_part_is_bounded_and_of_one_of_few_lengths(lengths):
    for rows, (ids, _) in texts_of(lengths).parts(np.arange(len(lengths)), epoch=0):
        longest = max(lengths[row] for row in rows)
        assert longest <= ids.shape[1] < longest + 32
        assert ids.shape[1] <= 64 or ids.shape[1] % 32 == 0
        assert len(rows) == 1 or ids.numel() * (ids.shape[1] + 512) <= 2_500_000
    assert len({padded_length(n) for n in range(513)}) < 80


@given(lengths, st.data())
def test_texts_that_are_taken_are_those(lengths, data):
    texts = texts_of(lengths, types=True)
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=20))
    taken = texts.take(np.array(rows, dtype=np.int64))
    assert len(taken) == len(rows)
    for i, row in enumerate(rows):
        expected = slice(texts.starts[row], texts.starts[row + 1])
        np.testing.assert_array_equal(taken.ids[taken.starts[i] : taken.starts[i + 1]], texts.ids[expected])
        np.testing.assert_array_equal(taken.types[taken.starts[i] : taken.starts[i + 1]], texts.types[expected])


class Unsure:
    """A task that is asked for nothing but its doubt, which grows with the row's number."""

    def doubt(self, start: None, rows: np.ndarray) -> np.ndarray:
        return rows / 1000


@given(st.integers(1, 200), st.integers(1, 220), st.integers(0, 3))
def test_where_time_is_short_the_less_sure_half_of_some_is_learned_from(n, examples, seed):
    """Of twice as many as there is time for: the least sure of very many would be too hard to begin with."""
    learn = np.arange(n) * 3
    found = worth_most(Unsure(), None, learn, examples, seed=seed)
    assert len(found) == min(n, examples)
    assert set(found) <= set(learn)
    assert list(found) == sorted(found)
    if examples < n <= 2 * examples:
        assert list(found) == list(learn[-examples:])
    if n > 4 * examples > 40:
        assert found.mean() < learn[-examples:].mean()
        assert found.mean() > learn.mean()


def test_the_probe_doubts_where_its_classes_are_near_each_other():
    logits = np.array([[4.0, 0], [0, 0.1], [0, 5], [0.3, 0]], dtype=np.float32)
    head = Head(("a", "b"), np.zeros((2, 1), np.float32), np.zeros(2, np.float32), "", 1.0, 1.0)
    task = LinearObjective(
        None, np.zeros(4, int), SOFTMAX, None, lambda _: head, lambda _, rows: logits[rows], head, lambda _: head
    )
    start = Start(np.arange(4), head)
    assert list(np.argsort(task.doubt(start, np.array([0, 1, 2, 3])))) == [2, 0, 3, 1]


@given(lengths)
def test_a_text_is_as_doubtful_as_its_words(lengths):
    """Of texts of words of one class, of the other, and of both, those of both are doubted most."""
    rng = np.random.default_rng(len(lengths))
    table = torch.from_numpy(rng.normal(size=(30, 8)).astype(np.float32))
    table[:10, 0] += 4
    table[10:20, 0] -= 4
    kind = np.arange(3 * max(20, len(lengths))) % 3
    sizes = np.resize(lengths, len(kind)) + 1
    words = {0: (0, 10), 1: (10, 20)}
    ids = [
        np.concatenate([rng.integers(*words[side], n) for side in ((0, 1) if k == 2 else (k,))])
        for k, n in zip(kind.tolist(), sizes.tolist(), strict=True)
    ]
    starts = np.concatenate([[0], np.cumsum([len(some) for some in ids])]).astype(np.int64)
    texts = Texts(np.concatenate(ids).astype(np.int32), starts, 0)
    doubt = doubt_by_words(texts, table, np.where(kind == 2, rng.integers(0, 2, len(kind)), kind), n_classes=2, seed=0)
    assert doubt[kind == 2].mean() > doubt[kind != 2].max()
