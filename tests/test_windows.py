"""Long texts in windows, the spans that are found in them, and the sentences around these."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from weakref import ref
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.answering.decode import Best, place, window_spans
from headstart.answering.sentences import sentence
from headstart.backbone import TextPreparation
from headstart.inputs.windows import Slicer, Window, batches, cut, targets
from headstart.pretrained.load import load_reader
from small_models import FILLING, YEARS, small_reading_model


@pytest.fixture(scope="session")
def preparation(tmp_path_factory) -> TextPreparation:
    folder = tmp_path_factory.mktemp("reading") / "model"
    folder.mkdir()
    small_reading_model("bert", folder, words=[*FILLING, *YEARS, "##er", "##s", "北", "海", ".", ",", "?"])
    found = load_reader(str(folder)).texts
    assert isinstance(found, TextPreparation)
    return found


ODD = ["towers", "北海", "e\u0301tage", "👩‍👩‍👧", "\r\n", " ", "\t", ".", "\ufeff", "\ud800", "ﬁ", "İ", "a\u0300\u0301"]
NO_DIGITS = st.text(st.characters(exclude_categories=["Cs", "Nd"]), max_size=8)
JUNK = st.lists(st.one_of(st.sampled_from([*FILLING, *ODD]), NO_DIGITS), max_size=60).map(" ".join)  # and no year in it
PIECES = st.sampled_from([*FILLING, *YEARS[:3], *ODD])
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=60).map(" ".join)


@settings(max_examples=150)
@given(before=TEXTS, after=TEXTS, start=st.integers(0, 200), length=st.integers(1, 30))
def test_places_are_characters_of_the_users_own_string(preparation, before, after, start, length):
    text, at = f"{before} 1954 {after}", len(before) + 1
    slicer = Slicer(preparation, most_tokens=24, overlap=6)
    question, tokens, year = slicer.tokens(["when was it built?", text, "1954"])
    assert ((tokens.starts >= 0) & (tokens.starts <= tokens.stops) & (tokens.stops <= len(text))).all()
    windows = list(slicer.windows(0, question, 0, tokens))
    assert {t for window in windows for t in range(window.first, window.stop)} == set(range(len(tokens)))
    inside_of = [window.target(at, at + 4) for window in windows]
    assert any(first > 0 for first, _ in inside_of)
    stop = min(start + length, len(text))
    for window, (first, last) in zip(windows, inside_of, strict=True):
        if first > 0:
            assert slicer.batch([window])[0][0, first : last + 1].tolist() == year.ids.tolist()
            token = window.first + first - window.lead
            assert place(tokens, token, token, text) == (at, at + 4)
        first, last = window.target(start, stop)
        if first > 0:  # the tokens that are the target reach over the characters that were asked for
            low, high = (window.first + t - window.lead for t in (first, last))
            inside = [t for t in range(len(tokens)) if tokens.starts[t] < stop and tokens.stops[t] > start]
            assert inside[0] == low
            assert inside[-1] == high
        if start < stop:
            begin, end = place(tokens, window.first, min(window.first + 2, window.stop - 1), text)
            assert 0 <= begin <= end <= len(text)
            assert text[begin:end] == text[begin:end].strip() or begin == end


@settings(max_examples=60)
@given(text=TEXTS)
def test_windows_are_those_of_the_tokenizers_own_truncation(preparation, text):
    from tokenizers import Tokenizer

    text = text.replace("\ud800", "")
    slicer = Slicer(preparation, most_tokens=32, overlap=8)
    reference = Tokenizer.from_str(preparation.tokenizer)
    reference.enable_truncation(32, stride=8, strategy="only_second")
    whole = reference.encode("when was it built ?", text)
    theirs = [whole, *whole.overflowing]
    question, tokens = slicer.tokens(["when was it built ?", text])
    ours = list(slicer.windows(0, question, 0, tokens))
    if not len(tokens):
        assert not ours
        return
    for window, encoding in zip(ours, theirs, strict=True):
        ids, mask, types = slicer.batch([window])
        assert ids[0].tolist() == encoding.ids
        assert types[0].tolist() == encoding.type_ids
        assert mask.all()


def test_targets_of_a_window(preparation):
    slicer = Slicer(preparation, most_tokens=16, overlap=4)
    text = " ".join(["the"] * 20 + ["1954"] + ["the"] * 20)
    found = list(cut(["when ?"], [text], np.array([[0, 0]]), slicer))
    given = (("1954", text.index("1954")),)
    places = targets(found, [given])
    for window, ((first, last),) in zip(found, places.tolist(), strict=True):
        ids = slicer.batch([window])[0][0]
        has = window.first <= 20 < window.stop
        assert (first > 0) == has
        assert first == last
        if has:
            assert ids[first] == slicer.tokens(["1954"])[0].ids[0]
    assert (places > 0).any()
    assert targets(found, [()]).max() == 0  # no answer: the first special token, everywhere
    spaces = Slicer(preparation).tokens(["a   b"])[0]
    window = next(Slicer(preparation).windows(0, slicer.tokens(["when ?"])[0], 0, spaces))
    assert window.target(2, 3) == (-100, -100)  # characters that no token covers


def test_every_answer_that_lies_in_a_window_is_a_target(preparation):
    """Annotators differ; where they do, a window may hold the answer of one and not the other's."""
    slicer = Slicer(preparation, most_tokens=16, overlap=4)
    text = " ".join(["the"] * 4 + ["1954"] + ["the"] * 20 + ["2004"])
    given = (("1954", text.index("1954")), ("the 1954", text.index("the 1954")), ("2004", text.index("2004")))
    found = list(cut(["when ?"], [text], np.array([[0, 0]]), slicer))
    places = targets(found, [given])
    nothing = [-100, -100]
    for window, given_here in zip(found, places.tolist(), strict=True):
        at = {word: window.lead + word - window.first for word in range(window.first, window.stop)}
        if window.first == 0:
            assert given_here == [[at[4], at[4]], [at[3], at[4]]]
        elif 25 in at:
            assert given_here == [[at[25], at[25]], nothing]
        else:
            assert given_here == [[0, 0], nothing]
    assert len(found) > 2


def test_a_long_text_is_tokenised_in_pieces_as_if_it_were_whole(preparation):
    from tokenizers import Tokenizer

    rng = random.Random(0)
    text = "".join(rng.choice([*FILLING, "北海", "towers,"]) + rng.choice([" ", "  ", "\r\n"]) for _ in range(60_000))
    whole = Tokenizer.from_str(preparation.tokenizer).encode(text, add_special_tokens=False)
    tokens = Slicer(preparation).tokens([text])[0]
    assert len(text) > 250_000
    assert tokens.ids.tolist() == whole.ids
    assert list(zip(tokens.starts.tolist(), tokens.stops.tolist(), strict=True)) == whole.offsets
    words = np.array(whole.word_ids)
    np.testing.assert_array_equal(np.diff(tokens.words) == 0, np.diff(words) == 0)
    assert len(Slicer(preparation).tokens(["x" * 120_000])[0]) == 3  # no white space: cut all the same


@pytest.mark.parametrize("kind", ["bytes", "metaspace"])
def test_tokenizers_that_keep_spaces(kind, preparation):
    """Those of RoBERTa's and XLM-R's kind: a token may start with a space, a word may end with a comma."""
    tokenizer = spaced_tokenizer(kind)
    slicer = Slicer(replace(preparation, tokenizer=tokenizer.to_str()))
    rng = random.Random(0)
    text = "".join(rng.choice([*FILLING, "北海", "towers,"]) + rng.choice([" ", "\r\n"]) for _ in range(15_000))
    whole, tokens = tokenizer.encode(text, add_special_tokens=False), slicer.tokens([text])[0]
    assert len(text) > 60_000
    assert tokens.ids.tolist() == whole.ids
    assert list(zip(tokens.starts.tolist(), tokens.stops.tolist(), strict=True)) == whole.offsets
    for number in range(200):
        start, stop = place(tokens, number, number, text)
        assert text[start:stop].strip(" \r\n,") in ("", *FILLING, "北", "海", "北海", "towers")
    window = next(slicer.windows(0, slicer.tokens(["when was it built?"])[0], 0, tokens))
    first, last = window.target(text.index("towers"), text.index("towers") + 6)
    ids = slicer.batch([window])[0][0]
    assert tokenizer.decode(ids[first : last + 1].tolist()).strip() in ("towers", "towers,")


def spaced_tokenizer(kind: str):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    if kind == "bytes":
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
    else:
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False
        )
    made.train_from_iterator([" ".join([*FILLING, "towers, 北海 when built?"])] * 20, trainer)
    ends = [(token, made.token_to_id(token)) for token in ("</s>", "<s>")]
    made.post_processor = processors.RobertaProcessing(*ends, trim_offsets=True, add_prefix_space=False)
    return made


@contextmanager
def most_memory() -> Iterator[Callable[[], int]]:
    """Bytes that Python and numpy took at most inside, beyond what they had."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_million_characters_for_many_questions_are_cut_when_they_are_asked_for(preparation):
    text, slicer = "the old tower was built " * 42_000, Slicer(preparation)
    pairs = np.array([(row, 0) for row in range(1000)])
    next(cut(["when ?"], ["the tower"], np.array([[0, 0]]), slicer))
    with most_memory() as peak:
        some = list(islice(batches(cut(["when ?"] * 1000, [text], pairs, slicer), slicer), 400))
        assert peak() < 150e6  # all windows of all questions would be more than a gigabyte
    assert len(some) == 400


def test_a_batch_is_padded_and_of_similar_length(preparation):
    slicer = Slicer(preparation)
    texts = ["the tower " * n for n in (1, 150, 2, 140)]
    found = list(batches(cut(["when ?"], texts, np.array([(0, i) for i in range(4)]), slicer), slicer, tokens=700))
    assert [sorted(w.text for w in some) for some, _ in found] == [[1, 3], [0, 2]]
    (windows, (ids, mask, types)) = found[0]
    assert ids.shape == mask.shape == types.shape
    assert mask.sum(axis=1).tolist() == [slicer.length(w) for w in windows]
    assert (ids[mask == 0] == preparation.pad_id).all()


# ---- spans


@settings(max_examples=100)
@given(count=st.integers(1, 40), lead=st.integers(1, 6), longest=st.integers(1, 8), seed=st.integers(0, 1000))
def test_spans_are_the_best_of_all(count, lead, longest, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (lead + count + 2, 2)).astype(np.float32)
    first, last, scores, nothing = window_spans(logits, lead=lead, count=count, longest=longest, most=7)
    allowed = [0, *range(lead, lead + count)]
    log = [np.log(np.exp(x - x.max()) / np.exp(x - x.max()).sum()) for x in logits[allowed].astype(float).T]
    everything = sorted(
        (-(log[0][1 + a] + log[1][1 + b]), a, b) for a in range(count) for b in range(a, min(count, a + longest))
    )[:7]
    assert [(a, b) for _, a, b in everything] == list(zip(first.tolist(), last.tolist(), strict=True))
    np.testing.assert_allclose(scores, [-s for s, _, _ in everything], atol=1e-6)
    assert nothing == pytest.approx(log[0][0] + log[1][0])


def scores_of(window: Window, slicer: Slicer) -> np.ndarray:
    """(t, 2) random ones, always the same for the same input."""
    ids = slicer.batch([window])[0]
    return np.random.default_rng(crc32(ids.tobytes())).normal(0, 4, (ids.shape[1], 2)).astype(np.float32)


@pytest.mark.parametrize("kind", ["bytes", "metaspace", "words"])
@settings(max_examples=60)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), margin=st.sampled_from([0.5, 5.0, 100.0]))
def test_windows_that_are_read_again_give_the_same_spans(preparation, kind, texts, margin):
    """Also where a word goes on beyond a window's end."""
    tokenizer = preparation.tokenizer if kind == "words" else spaced_tokenizer(kind).to_str()
    slicer = Slicer(replace(preparation, tokenizer=tokenizer), most_tokens=24, overlap=6)
    best = Best(margin=margin)
    for window in cut(["when was it built?"], texts, np.array([(0, i) for i in range(len(texts))]), slicer):
        best.add(window, scores_of(window, slicer), texts[window.text])
    before = best.spans()
    again = best.doubtful()
    assert not again or best.spans() != before
    for window in again:
        best.add(window, scores_of(window, slicer), texts[window.text])
    assert best.spans() == before


@pytest.mark.parametrize("margin", [None, 1000.0])
def test_nothing_keeps_a_whole_text(preparation, margin):
    slicer, best, rng = Slicer(preparation), Best(margin=margin), random.Random(0)
    question, held = slicer.tokens(["when was it built?"])[0], []
    for number in range(24):
        text = " ".join(rng.choices([*FILLING, *YEARS], k=3000))
        tokens = slicer.tokens([text])[0]
        held.append(ref(tokens.ids))
        for window in slicer.windows(0, question, number, tokens):
            best.add(window, scores_of(window, slicer), text)
    del tokens, window
    assert len(best.spans()) == 20
    assert [ids for ids in held if ids() is not None] == []
    assert bool(best.doubtful()) == (margin is not None)


def test_a_window_that_others_surpass_is_let_go(preparation):
    slicer, best, rng = Slicer(preparation), Best(margin=5.0), random.Random(0)
    text = " ".join(rng.choices([*FILLING, *YEARS], k=150_000))
    windows = list(cut(["when was it built?"], [text], np.array([[0, 0]]), slicer))
    assert len(windows) > 500
    with most_memory() as peak:
        for number, window in enumerate(windows):
            scores = scores_of(window, slicer)
            scores[0] -= 10 * number  # each is surer than all before that something is there
            best.add(window, scores, text)
        assert peak() < 1e6  # of all together, the tokens alone would be 3.6 MB
    (last,) = best.doubtful()
    np.testing.assert_array_equal(slicer.batch([last]), slicer.batch(windows[-1:]))


@pytest.mark.parametrize(
    ("text", "span", "whole"),
    [
        ("the towers stand", "tower", "towers"),  # one word of several tokens
        ("the tower, old", "tower", "tower"),  # not its comma
        ("in the 北海 of", "北", "北"),  # each ideograph is a word
    ],
)
def test_half_a_word_is_no_answer(preparation, text, span, whole):
    tokens = Slicer(preparation).tokens([text])[0]
    start = text.index(span)
    number = next(i for i in range(len(tokens)) if tokens.starts[i] == start)
    begin, end = place(tokens, number, number, text)
    assert text[begin:end] == whole


@pytest.mark.parametrize(
    ("text", "span", "expected"),
    [
        ("It rained. The Rhine is long. It is cold.", "Rhine", "The Rhine is long."),
        ("Ask Dr. Smith of St. Ives. He knows.", "Smith", "Ask Dr. Smith of St. Ives."),
        ("One.\n\nTwo is here\n\nThree.", "Two", "Two is here"),
        ("wrapped at\neighty columns. Next.", "wrapped", "wrapped at\neighty columns."),
        ("北海に流れる。ライン川は長い。", "ライン", "ライン川は長い。"),
        ("It cost 3.5 million. Yes.", "3.5", "It cost 3.5 million."),
        ("Ends here.", "here.", "Ends here."),
    ],
)
def test_the_sentence_around_an_answer(text, span, expected):
    start = text.index(span)
    first, last = sentence(text, start, start + len(span))
    assert text[first:last] == expected


def test_a_sentence_without_end_is_cut_between_words():
    text = "word " * 1000
    first, last = sentence(text, 2500, 2504)
    assert text[first:last].split() == ["word"] * len(text[first:last].split())
    assert 500 < last - first < 620
