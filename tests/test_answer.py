"""Ask a model: transformers' own answers, places in the user's own string, scores, and what is said of bad input."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import headstart as hs
from headstart.answering.answerer import Answerer
from headstart.answering.decode import Best
from headstart.answering.find import find_spans
from headstart.answering.settings import Settings, settings_from
from headstart.encode import engines
from headstart.errors import DataError, ModelError
from headstart.inputs.windows import LEFT_OUT, Slicer, batches, cut, targets
from headstart.model import Model
from headstart.pretrained.load import load_reader as load_backbone
from headstart.tasks.answering import ANSWERING
from headstart.tasks.modalities import PASSAGE
from headstart.values import Dataset
from reading import read_questions
from small_models import FILLING, QUESTION, YEARS, small_reading_model, text_with_a_year
from test_windows import JUNK

TYPES = ["bert", "distilbert", "albert", "roberta", "mpnet", "deberta-v2", "modernbert"]


@pytest.fixture(scope="session")
def model(years) -> Model:
    return hs.load(years)


@pytest.fixture
def answerer(model) -> Answerer:
    return model.predictor


def reference_answer(model: torch.nn.Module, tokenizer: object, question: str, text: str) -> str:
    """As transformers' question-answering pipeline decoded (it left with transformers 5.3): one window, spans of at
    most 15 tokens out to the words' ends, probabilities of those that read alike added up."""
    encoding = tokenizer.encode(question, text)
    takes = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask}
    if getattr(model.config, "type_vocab_size", 0) > 1:
        takes["token_type_ids"] = encoding.type_ids
    with torch.inference_mode():
        out = model(**{name: torch.tensor([ids]) for name, ids in takes.items()})
    allowed = torch.tensor([s == 1 for s in encoding.sequence_ids])
    allowed[0] = True
    ends = [logits[0].masked_fill(~allowed, -torch.inf).softmax(-1) for logits in (out.start_logits, out.end_logits)]
    shares: dict[str, float] = {}
    places = [i for i, s in enumerate(encoding.sequence_ids) if s == 1]
    for a in places:
        for b in places:
            if a <= b < a + 15:
                start = encoding.word_to_chars(encoding.token_to_word(a), 1)[0]
                stop = encoding.word_to_chars(encoding.token_to_word(b), 1)[1]
                key = text[start:stop].lower()
                shares[key] = shares.get(key, 0.0) + float(ends[0][a] * ends[1][b])
    return max(shares, key=lambda key: shares[key])


@pytest.mark.parametrize("model_type", TYPES)
def test_answers_are_transformers_own(model_type, tmp_path, own_cache):
    from tokenizers import Tokenizer

    (tmp_path / "model").mkdir()
    reference = small_reading_model(model_type, tmp_path / "model", words=[*FILLING, *YEARS, "when", "##s", "?", ","])
    tokenizer = Tokenizer.from_file(str(tmp_path / "model" / "tokenizer.json"))
    answerer = Answerer(load_backbone(str(tmp_path / "model")), Settings(threshold=None))
    rng = random.Random(0)
    texts = [text_with_a_year(rng, rng.randint(1, 60))[0].replace("house", "houses,") for _ in range(15)]
    asked = ["when was it built?", "who built the tower?"]
    same = [
        answerer.answer(question, text)[0].text.lower() == reference_answer(reference, tokenizer, question, text)
        for text in texts
        for question in asked
    ]
    assert np.mean(same) >= 0.99

    module, pairs = answerer.backbone.module(), np.array([(0, i) for i in range(8)])
    run = engines.open_engine(answerer.backbone, "f32")
    for windows, batch in batches(cut(asked, texts[:8], pairs, answerer.slicer), answerer.slicer):
        with torch.inference_mode():
            theirs = module(*map(torch.from_numpy, batch)).numpy()
        ((_, ours),) = run([(np.arange(len(windows)), batch)])
        assert theirs.shape == ours.shape == (*batch[0].shape, 2)
        real = batch[1].astype(bool)
        np.testing.assert_allclose(ours[real], theirs[real], rtol=1e-3, atol=1e-3)


def test_a_year_in_a_million_characters(model):
    text, ((year, start),) = text_with_a_year(random.Random(5), 200_000)
    (found,) = model.answer(QUESTION, text, top=3)
    assert len(text) > 900_000
    assert (found.text, found.start, found.end) == (year, start, start + 4)
    assert text[found.start : found.end] == year
    assert found.sentence[found.offset : found.offset + 4] == year
    assert f" [[{year}]] " in f" {found.marked()} "
    assert found.confidence > 0.9


def test_the_best_document_comes_first_and_places_are_of_its_own_string(model):
    texts = [
        "",
        "the old tower",
        "北海 e\u0301 👩‍👩‍👧\r\nthe tower was built in 1954, by a king",
        "no year here",
        "1931",
    ]
    first, second = model.answer(QUESTION, texts, top=2)
    assert {first.context, second.context} == {2, 4}
    for answer in (first, second):
        assert texts[answer.context][answer.start : answer.end] == answer.text
        assert answer.text in ("1954", "1931")


@settings(max_examples=100)
@given(before=JUNK, after=JUNK, times=st.integers(1, 12))
def test_a_year_among_anything_is_found_at_its_own_place(model, before, after, times):
    """Scripts without spaces, emoji of several characters, marks that combine, line ends, lone surrogates."""
    before = " ".join([before] * times)  # so that it is in the first window, or far behind
    text, at = f"{before} 1954 {after}", len(before) + 1
    best = model.answer(QUESTION, text)[0]
    assert (best.start, best.end, best.text) == (at, at + 4, "1954")
    assert text[best.start : best.end] == "1954"
    assert best.sentence[best.offset : best.offset + 4] == "1954"


@pytest.mark.parametrize("text", ["the", "the tower was old " * 300, "👩‍👩‍👧", "1"])
def test_no_answer_where_there_is_none(model, text):
    found = model.answer(QUESTION, text, top=3)[0]
    assert found.text == ""
    assert found.marked() == "[[]]"
    assert found.confidence > 0.8


def test_the_threshold_decides_when_nothing_is_said(years):
    always, never = (Answerer(load_backbone(str(years)), Settings(threshold=t)) for t in (-1000.0, None))
    assert always.answer(QUESTION, "the tower was built in 1954")[0].text == ""
    assert never.answer(QUESTION, "the tower was old")[0].text != ""


def test_how_long_an_answer_may_be_is_a_setting(tmp_path, own_cache):
    (tmp_path / "model").mkdir()
    small_reading_model("bert", tmp_path / "model", words=[*FILLING, *YEARS, "when", "it", "?", "."])
    backbone, rng = load_backbone(str(tmp_path / "model")), random.Random(0)
    texts = [text_with_a_year(rng, 60)[0] for _ in range(20)]

    def longest(most: int) -> int:
        answerer = Answerer(backbone, Settings(threshold=None, longest=most))
        return max(len(answerer.answer(QUESTION, text)[0].text.split()) for text in texts)

    assert longest(5) <= 5
    assert 15 < longest(40) <= 40


def test_a_temperature_moves_the_confidence_and_no_answer(years):
    sure, unsure = (Answerer(load_backbone(str(years)), Settings(temperature=t)) for t in (1.0, 5.0))
    one, other = (r.answer(QUESTION, "the tower was built in 1954")[0] for r in (sure, unsure))
    assert one.text == other.text == "1954"
    assert one.confidence > other.confidence > 0


def test_windows_are_compared_by_how_much_more_probable_than_nothing(answerer):
    """Not by the probability itself: the first window is less sure of its best span, and surer that there is one."""
    text = "the old tower the new 1954 was built 1931"
    tokens, question = answerer.slicer.tokens([text])[0], answerer.slicer.tokens([QUESTION])[0]
    (window,) = answerer.slicer.windows(0, question, 0, tokens)
    halves = [replace(window, stop=6), replace(window, first=6)]
    best, doubting = Best(margin=0.1), Best(margin=3.0)
    for half, span, other, nothing in zip(halves, (3.0, 3.0), (1.0, 0.0), (-4.0, 2.0), strict=True):
        logits = np.full((half.lead + half.stop - half.first + 1, 2), -9.0, np.float32)
        logits[0], logits[-2], logits[half.lead] = nothing, span, other
        best.add(half, logits, text)
        doubting.add(half, logits, text)
    first, *others = best.spans()
    assert text[first.start : first.stop] == "1954"
    assert first.score == pytest.approx(2 * (3 + 4), abs=0.01)
    assert [text[s.start : s.stop] for s in others].index("1931") >= 0
    assert best.doubtful() == []
    again = doubting.doubtful()[0]
    for mine, theirs in zip(answerer.slicer.batch([again]), answerer.slicer.batch([halves[0]]), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.skipif(not engines.cpu_has_bf16(), reason="this processor has no bfloat16")
def test_close_calls_are_read_again_in_float32(tmp_path, own_cache):
    (tmp_path / "model").mkdir()
    small_reading_model("bert", tmp_path / "model", words=[*FILLING, *YEARS, "when", "?"])
    answerer = Answerer(load_backbone(str(tmp_path / "model")), Settings(threshold=None))
    rng = random.Random(0)
    texts = [text_with_a_year(rng, rng.randint(1, 60))[0] for _ in range(300)]
    pairs = np.array([(0, i) for i in range(300)])
    pairs[:, 0] = pairs[:, 1]
    windows = list(cut([QUESTION] * 300, texts, pairs, answerer.slicer))
    exact, low = (engines.open_engine(answerer.backbone, precision) for precision in ("f32", "bf16"))
    wanted, rough, again = (
        find_spans(windows, texts, answerer.slicer, engine, exact=more)
        for engine, more in ((exact, None), (low, None), (low, lambda: exact))
    )
    differs = [[found[row][0].start != wanted[row][0].start for row in range(300)] for found in (rough, again)]
    assert sum(differs[1]) <= min(2, sum(differs[0]))


def test_after_an_interruption_it_goes_on(answerer):
    class Gone(Exception):
        pass

    def stop(n: int) -> None:
        raise Gone

    with pytest.raises(Gone):
        answerer.find([QUESTION], ["the 1954 " * 9000], np.array([[0, 0]]), advance=stop)
    assert answerer.answer(QUESTION, "the tower was built in 1954")[0].text == "1954"


@pytest.mark.parametrize(
    ("question", "text", "words"),
    [
        ("", "the tower", ["question", "empty question"]),
        (" \n", "the tower", ["question", "empty question"]),
        (QUESTION, "", ["context", "empty context"]),
        (QUESTION, ["", " \t"], ["context", "empty context"]),
        (QUESTION, [], ["context", "empty context"]),
        ("when " * 400, "the tower", ["question has 400 tokens", "fewer words"]),
    ],
)
def test_questions_that_cannot_be_asked(model, question, text, words):
    with pytest.raises(DataError) as error:
        model.answer(question, text)
    for word in words:
        assert word in str(error.value)
    assert str(error.value).count("\n") == 1


def byte_tokens(tokenizer: Path) -> None:
    """Write a tokenizer to which each byte is a token, in the special tokens of the one that was there."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({token: i for i, token in enumerate([*special, *alphabet])}, []))
    made.add_special_tokens([AddedToken(token, special=True) for token in special])
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.save(str(tokenizer))


def test_a_question_of_few_characters_may_be_many_tokens(tmp_path, own_cache):
    (tmp_path / "model").mkdir()
    small_reading_model("bert", tmp_path / "model", words=[f"word{i}" for i in range(300)])
    byte_tokens(tmp_path / "model" / "tokenizer.json")
    model = hs.load(tmp_path / "model")
    japanese = "\u5854" * 104  # three bytes each
    (tmp_path / "data.csv").write_text(f"context,question,answer\na tower 1931,{japanese},1931\n", encoding="utf-8")
    (found,) = model.evaluate(tmp_path / "data.csv").findings
    assert (found.kind, found.reason) == ("long-question", "312 tokens, of which the first 190 are read")


def questions_file(folder: Path, n: int = 60) -> Path:
    """Every third question has no answer; one answer is not in its context."""
    rng, articles = random.Random(1), []
    for i in range(n):
        text, answers = text_with_a_year(rng, rng.randint(5, 50), year=i % 3 > 0)
        given = [{"text": t, "answer_start": s} for t, s in answers]
        qas = [{"id": str(i), "question": QUESTION, "answers": given, "is_impossible": not given}]
        articles.append({"title": f"article {i // 2}", "paragraphs": [{"context": text, "qas": qas}]})
    articles[1]["paragraphs"][0]["qas"][0]["answers"] = [{"text": "2077", "answer_start": 0}]
    path = folder / "questions.json"
    path.write_text(json.dumps({"version": "v2.0", "data": articles}))
    return path


def test_evaluate(model, tmp_path):
    found = model.evaluate(questions_file(tmp_path))
    assert (found.scores.exact_match, found.scores.f1, found.scores.n, found.scores.documents) == (1.0, 1.0, 59, 30)
    assert found.scores.answerable["n"] + found.scores.unanswerable["n"] == 59
    assert [f.kind for f in found.findings] == ["answer-outside"]


def fitted(answerer: Answerer, questions: Dataset) -> Settings:
    """From what it finds for questions held out."""
    passages = questions.passages
    found = answerer.find(passages.questions, passages.contexts, passages.pairs)
    return settings_from(found, passages.contexts, questions.targets, answerer.settings)


def test_settings_are_fitted_on_questions_held_out(years, tmp_path):
    file = questions_file(tmp_path, 200)
    backbone, questions, shy = load_backbone(str(years)), read_questions(file), Settings(threshold=-30.0)
    assert Model(ANSWERING, PASSAGE, backbone, shy).evaluate(file).scores.exact_match < 0.5
    sure = fitted(Answerer(backbone, shy), questions)
    assert Model(ANSWERING, PASSAGE, backbone, sure).evaluate(file).scores.exact_match == 1.0
    answers = Answerer(backbone, sure).answer_all(questions.passages)
    assert np.mean([a.confidence for a in answers]) > 0.95  # always right, so it may be sure
    answered = questions.take(np.array([row for row, true in enumerate(questions.targets) if true]))
    assert fitted(Answerer(backbone, sure), answered).threshold is None


def test_several_questions_at_once(model):
    """Each with a text of its own, or with the same; in their order."""
    texts = ["the tower was built in 1954", "the river is old", "1931 by a king"]
    asked = [(QUESTION, text) for text in texts] + [("who?", texts[0])]
    found = model.predict(asked)
    assert [(answer.input, answer.text) for answer in found[:3]] == [
        (QUESTION, "1954"),
        (QUESTION, ""),
        (QUESTION, "1931"),
    ]
    assert found[3].input == "who?"
    for answer, (question, text) in zip(found, asked, strict=True):
        (alone,) = model.answer(question, text)
        assert (answer.text, answer.start, answer.end) == (alone.text, alone.start, alone.end)
        assert text[answer.start : answer.end] == answer.text
    (one,) = model.predict((QUESTION, texts[2]))
    assert (one.text, one.start) == ("1931", 0)
    for inputs in ("some text", ["ab"], [QUESTION, "  "], [(QUESTION, texts[0]), ("", texts[1])], [(QUESTION,)]):
        with pytest.raises(DataError, match="is no question with a text"):
            model.predict(inputs)


def test_a_new_head_learns_from_windows_and_targets_and_opens_again(years, tmp_path, own_cache):
    """What training needs, step by step: the module, the windows of some rows, their targets, and a folder to answer
    from."""
    untrained, saved = tmp_path / "untrained", tmp_path / "saved"
    untrained.mkdir()
    small_reading_model("bert", untrained, words=[*FILLING, *YEARS, "when", "it", "?", "."])
    headless(untrained)
    with pytest.raises(ModelError, match="does not find answers"):
        load_backbone(str(untrained))
    data = questions_file(tmp_path, 90)
    questions, passages = read_questions(data), read_questions(data).passages
    torch.manual_seed(0)
    backbone = load_backbone(str(untrained), new_head=True)
    slicer, module = Slicer(backbone.texts), backbone.module().train()
    assert slicer.most_tokens == 384
    optimiser = torch.optim.AdamW(module.parameters(), lr=3e-3)
    pairs, losses = passages.pairs, []
    for _ in range(10):
        for some, batch in batches(cut(passages.questions, passages.contexts, pairs, slicer), slicer, tokens=600):
            true = torch.from_numpy(targets(some, questions.targets)[:, 0])
            logits = module(*map(torch.from_numpy, batch))
            loss = torch.nn.functional.cross_entropy(logits, true, ignore_index=LEFT_OUT)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    module.eval().model.save_pretrained(saved)
    (saved / "tokenizer.json").write_text(backbone.texts.tokenizer)
    model = hs.load(saved)
    assert model.evaluate(data).scores.f1 > 0.6
    with torch.inference_mode():
        mine = [
            (np.arange(len(some)), batch)
            for some, batch in batches(cut([QUESTION], ["the 1954"], pairs[:1], slicer), slicer)
        ]
        theirs = module(*map(torch.from_numpy, mine[0][1])).numpy()
    ((_, ours),) = engines.open_engine(model.backbone, "f32")(mine)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def headless(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = {k: t for k, t in load_file(folder / "model.safetensors").items() if "qa_outputs" not in k}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["BertModel"]}))


def test_damaged_weights_give_no_answer(years, tmp_path, own_cache):
    from safetensors.torch import load_file, save_file

    shutil.copytree(years, tmp_path / "damaged")
    tensors = {k: t * torch.nan for k, t in load_file(years / "model.safetensors").items()}
    save_file(tensors, tmp_path / "damaged" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="not a number"):
        hs.load(tmp_path / "damaged").answer(QUESTION, "the tower was built in 1954")


def test_a_head_that_is_not_in_the_weights_is_not_made_up(years, tmp_path, own_cache):
    from safetensors.torch import load_file, save_file

    shutil.copytree(years, tmp_path / "headless")
    tensors = {k: t for k, t in load_file(years / "model.safetensors").items() if "qa_outputs" not in k}
    save_file(tensors, tmp_path / "headless" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"not in its weights: qa_outputs"):
        hs.load(tmp_path / "headless").answer(QUESTION, "the tower was built in 1954")
