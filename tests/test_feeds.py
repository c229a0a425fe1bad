"""What training is fed with: nothing is lost on the way, memory is bounded, and time is spent on what is worth most."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from headstart.adapt.classify import Classifying
from headstart.adapt.feeds import Texts, padded_length
from headstart.adapt.finetune import worth_most
from headstart.values import Head

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


def test_where_time_is_short_the_least_sure_examples_are_learned_from():
    logits = np.array([[4.0, 0], [0, 0.1], [0, 5], [0.3, 0], [1, 0], [0, 9]], dtype=np.float32)
    head = Head(("a", "b"), np.zeros((2, 1), np.float32), np.zeros(2, np.float32), "", 1.0, 1.0)
    task = Classifying(None, np.zeros(6, int), None, lambda rows: head, lambda head, rows: logits[rows])
    learn = np.array([0, 1, 2, 3, 5])
    assert worth_most(task, head, learn, 2).tolist() == [1, 3]
    assert worth_most(task, head, learn, 3).tolist() == [0, 1, 3]
    for enough in (5, 6):
        assert worth_most(task, head, learn, enough) is learn
