"""Ask a model: transformers' own answers, places in the user's own string, scores, and what is said of bad input."""

from __future__ import annotations

import json
import os
import pty
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from headstart.reader import Reader, Settings, fit_settings
from hypothesis import given, settings
from hypothesis import strategies as st

import headstart as hs
from headstart.answering.decode import Best
from headstart.answering.find import find_spans
from headstart.encode import engines
from headstart.errors import DataError, ModelError
from headstart.inputs.windows import LEFT_OUT, Slicer, batches, cut, targets
from headstart.pretrained.load import load_reader as load_backbone
from reading import read_questions
from small_hub import SmallHub
from small_models import FILLING, QUESTION, YEARS, small_reading_model, small_text_model, text_with_a_year
from test_questions import JUNK

TYPES = ["bert", "distilbert", "albert", "roberta", "mpnet", "deberta-v2", "modernbert"]


@pytest.fixture(scope="session")
def reader(years) -> Reader:
    return hs.load(years)


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
    reader = Reader(load_backbone(str(tmp_path / "model")), settings=Settings(threshold=None))
    rng = random.Random(0)
    texts = [text_with_a_year(rng, rng.randint(1, 60))[0].replace("house", "houses,") for _ in range(15)]
    asked = ["when was it built?", "who built the tower?"]
    same = [
        reader.answer(question, text)[0].text.lower() == reference_answer(reference, tokenizer, question, text)
        for text in texts
        for question in asked
    ]
    assert np.mean(same) >= 0.99

    module, pairs = reader.backbone.module(), np.array([(0, i) for i in range(8)])
    run = engines.open_engine(reader.backbone, "f32")
    for windows, batch in batches(cut(asked, texts[:8], pairs, reader.slicer), reader.slicer):
        with torch.inference_mode():
            theirs = module(*map(torch.from_numpy, batch)).numpy()
        ((_, ours),) = run([(np.arange(len(windows)), batch)])
        assert theirs.shape == ours.shape == (*batch[0].shape, 2)
        real = batch[1].astype(bool)
        np.testing.assert_allclose(ours[real], theirs[real], rtol=1e-3, atol=1e-3)


def test_a_year_in_a_million_characters(reader):
    text, ((year, start),) = text_with_a_year(random.Random(5), 200_000)
    (found,) = reader.answer(QUESTION, text, top=3)
    assert len(text) > 900_000
    assert (found.text, found.start, found.end) == (year, start, start + 4)
    assert text[found.start : found.end] == year
    assert found.sentence[found.offset : found.offset + 4] == year
    assert f" [[{year}]] " in f" {found.marked()} "
    assert found.confidence > 0.9


def test_the_best_document_comes_first_and_places_are_of_its_own_string(reader):
    texts = [
        "",
        "the old tower",
        "北海 e\u0301 👩‍👩‍👧\r\nthe tower was built in 1954, by a king",
        "no year here",
        "1931",
    ]
    first, second = reader.answer(QUESTION, texts, top=2)
    assert {first.context, second.context} == {2, 4}
    for answer in (first, second):
        assert texts[answer.context][answer.start : answer.end] == answer.text
        assert answer.text in ("1954", "1931")


@settings(max_examples=100, deadline=None)
@given(before=JUNK, after=JUNK, times=st.integers(1, 12))
def test_a_year_among_anything_is_found_at_its_own_place(reader, before, after, times):
    """Scripts without spaces, emoji of several characters, marks that combine, line ends, lone surrogates."""
    before = " ".join([before] * times)  # so that it is in the first window, or far behind
    text, at = f"{before} 1954 {after}", len(before) + 1
    best = reader.answer(QUESTION, text)[0]
    assert (best.start, best.end, best.text) == (at, at + 4, "1954")
    assert text[best.start : best.end] == "1954"
    assert best.sentence[best.offset : best.offset + 4] == "1954"


@pytest.mark.parametrize("text", ["the", "the tower was old " * 300, "👩‍👩‍👧", "1"])
def test_no_answer_where_there_is_none(reader, text):
    found = reader.answer(QUESTION, text, top=3)[0]
    assert found.text == ""
    assert found.marked() == "[[]]"
    assert found.confidence > 0.8


def test_the_threshold_decides_when_nothing_is_said(years):
    always, never = (Reader(load_backbone(str(years)), settings=Settings(threshold=t)) for t in (-1000.0, None))
    assert always.answer(QUESTION, "the tower was built in 1954")[0].text == ""
    assert never.answer(QUESTION, "the tower was old")[0].text != ""


def test_how_long_an_answer_may_be_is_a_setting(tmp_path, own_cache):
    (tmp_path / "model").mkdir()
    small_reading_model("bert", tmp_path / "model", words=[*FILLING, *YEARS, "when", "it", "?", "."])
    backbone, rng = load_backbone(str(tmp_path / "model")), random.Random(0)
    texts = [text_with_a_year(rng, 60)[0] for _ in range(20)]

    def longest(most: int) -> int:
        reader = Reader(backbone, settings=Settings(threshold=None, longest=most))
        return max(len(reader.answer(QUESTION, text)[0].text.split()) for text in texts)

    assert longest(5) <= 5
    assert 15 < longest(40) <= 40


def test_a_temperature_moves_the_confidence_and_no_answer(years):
    sure, unsure = (Reader(load_backbone(str(years)), settings=Settings(temperature=t)) for t in (1.0, 5.0))
    one, other = (r.answer(QUESTION, "the tower was built in 1954")[0] for r in (sure, unsure))
    assert one.text == other.text == "1954"
    assert one.confidence > other.confidence > 0


def test_windows_are_compared_by_how_much_more_probable_than_nothing(reader):
    """Not by the probability itself: the first window is less sure of its best span, and surer that there is one."""
    text = "the old tower the new 1954 was built 1931"
    tokens, question = reader.slicer.tokens([text])[0], reader.slicer.tokens([QUESTION])[0]
    (window,) = reader.slicer.windows(0, question, 0, tokens)
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
    for mine, theirs in zip(reader.slicer.batch([again]), reader.slicer.batch([halves[0]]), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.skipif(not engines.cpu_has_bf16(), reason="this processor has no bfloat16")
def test_close_calls_are_read_again_in_float32(tmp_path, own_cache):
    (tmp_path / "model").mkdir()
    small_reading_model("bert", tmp_path / "model", words=[*FILLING, *YEARS, "when", "?"])
    reader = Reader(load_backbone(str(tmp_path / "model")), settings=Settings(threshold=None))
    rng = random.Random(0)
    texts = [text_with_a_year(rng, rng.randint(1, 60))[0] for _ in range(300)]
    pairs = np.array([(0, i) for i in range(300)])
    pairs[:, 0] = pairs[:, 1]
    windows = list(cut([QUESTION] * 300, texts, pairs, reader.slicer))
    exact, low = (engines.open_engine(reader.backbone, precision) for precision in ("f32", "bf16"))
    wanted, rough, again = (
        find_spans(windows, texts, reader.slicer, engine, exact=more)
        for engine, more in ((exact, None), (low, None), (low, lambda: exact))
    )
    differs = [[found[row][0].start != wanted[row][0].start for row in range(300)] for found in (rough, again)]
    assert sum(differs[1]) <= min(2, sum(differs[0]))


def test_after_an_interruption_the_reader_goes_on(reader):
    class Gone(Exception):
        pass

    def stop(n: int) -> None:
        raise Gone

    with pytest.raises(Gone):
        reader.find([QUESTION], ["the 1954 " * 9000], np.array([[0, 0]]), advance=stop)
    assert reader.answer(QUESTION, "the tower was built in 1954")[0].text == "1954"


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
def test_questions_that_cannot_be_asked(reader, question, text, words):
    with pytest.raises(DataError) as error:
        reader.answer(question, text)
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
    reader = hs.load(tmp_path / "model")
    japanese = "\u5854" * 104  # three bytes each
    (tmp_path / "data.csv").write_text(f"context,question,answer\na tower 1931,{japanese},1931\n", encoding="utf-8")
    (found,) = reader.evaluate(tmp_path / "data.csv").findings
    assert (found.kind, found.reason) == ("long-question", "312 tokens, of which the first 190 are read")


def questions_file(folder: Path, n: int = 60) -> Path:
    """Every third question has no answer; one answer is not in its context."""
    rng, articles = random.Random(1), []
    for i in range(n):
        text, answers = text_with_a_year(rng, rng.randint(5, 50), year=i % 3 > 0)
        given = [{"text": t, "answer_start": s} for t, s in answers]
        qas = [{"id": str(i), "question": QUESTION, "answers": given}]
        articles.append({"title": f"article {i // 2}", "paragraphs": [{"context": text, "qas": qas}]})
    articles[1]["paragraphs"][0]["qas"][0]["answers"] = [{"text": "2077", "answer_start": 0}]
    path = folder / "questions.json"
    path.write_text(json.dumps({"version": "v2.0", "data": articles}))
    return path


def test_evaluate(reader, tmp_path):
    found = reader.evaluate(questions_file(tmp_path))
    assert (found.scores.exact_match, found.scores.f1, found.scores.n, found.scores.documents) == (1.0, 1.0, 59, 30)
    assert found.scores.answerable.n + found.scores.unanswerable.n == 59
    assert [f.kind for f in found.findings] == ["answer-outside"]


def test_evaluate_by_command_on_a_reader_that_never_says_nothing(years, tmp_path, command):
    folder = tmp_path / "saved"
    shutil.copytree(years, folder)
    (folder / "headstart.json").write_text(json.dumps({"reader": {"threshold": None, "temperature": 2.0}}))
    data = questions_file(tmp_path)
    code, out, err = command("evaluate", folder, data, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["answerable"] == {"n": 39, "exact_match": 1.0, "f1": 1.0}
    assert told["unanswerable"]["n"] == 20
    assert told["unanswerable"]["exact_match"] < 0.2  # but for an answer "a" or "the", which SQuAD reads as none
    assert set(told["errors"]) == {"answered without one"}
    assert told["exact_match"] == pytest.approx(1 - told["errors"]["answered without one"] / 59, abs=1e-6)
    assert told["mistakes"][0]["true"] == ""
    assert (told["n_rejected"], told["findings"][0]["kind"]) == (1, "answer-outside")
    low, high = told["exact_match_interval"]
    assert low < told["exact_match"] < high
    code, out, err = command("evaluate", folder, data)
    assert code == 0, err
    for words in ("exact match  0.6", "30 documents", "with answer  39: exact match 1.000", "1 questions"):
        assert words in out


def test_settings_are_fitted_on_questions_held_out(years, tmp_path):
    questions = read_questions(questions_file(tmp_path, 200))
    shy = Reader(load_backbone(str(years)), settings=Settings(threshold=-30.0))
    assert shy.evaluate(questions).scores.exact_match < 0.5
    shy.settings = fit_settings(shy, questions)
    assert shy.evaluate(questions).scores.exact_match == 1.0
    answers = shy.answer_all(questions)
    assert np.mean([a.confidence for a in answers]) > 0.95  # always right, so it may be sure
    answered = questions.take(np.array([row for row, true in enumerate(questions.answers) if true]))
    assert fit_settings(shy, answered).threshold is None


def test_answer_by_command(years, tmp_path, command):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfthe old city\r\nA house was built in 1954. the river is old.\r\n")
    (tmp_path / "b.txt").write_text("the bridge came from north")
    code, out, err = command("answer", years, QUESTION, "--context", "b.txt", "a.txt", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert set(told) == {"model", "question", "answers"}
    (best,) = told["answers"]
    text = (tmp_path / "a.txt").read_bytes().decode("utf-8-sig")
    assert (best["answer"], best["context"]) == ("1954", "a.txt")
    assert text[best["start"] : best["end"]] == "1954"
    assert best["sentence"][best["offset"] :].startswith("1954")
    assert 0.5 < best["confidence"] <= 1
    code, out, err = command("answer", years, QUESTION, "--context", "a.txt")
    assert code == 0, err
    assert "1954  1.00" in out
    assert "[[1954]]" in out
    assert f"characters {best['start']}-{best['end']}" in out
    code, out, err = command("answer", years, QUESTION, "--context", "-", stdin="the river is old")
    assert (code, out.split("  ")[0]) == (0, "no answer"), err


def test_on_a_terminal_the_answer_is_bold(years, tmp_path):
    (tmp_path / "text.txt").write_text("the tower was built in 1954 \x1b[31mby a king")
    ours, theirs = pty.openpty()
    arguments = [sys.executable, "-m", "headstart", "answer", years, QUESTION, "--context", tmp_path / "text.txt"]
    subprocess.run(list(map(str, arguments)), stdout=theirs, stderr=subprocess.DEVNULL, check=True, timeout=120)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    os.close(theirs)
    assert "\x1b[1m1954\x1b[0m" in shown
    assert "\x1b[31m" not in shown  # what a text says is not obeyed by the terminal


def test_a_model_of_the_hub_as_it_is(years, tmp_path, command):
    (tmp_path / "text.txt").write_text("the tower was built in 1954")
    with SmallHub({"org/reader": years}) as hub:
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": ""}
        code, out, err = command("answer", "org/reader", QUESTION, "--context", "text.txt", "--json", **env)
        assert code == 0, err
        assert json.loads(out)["answers"][0]["answer"] == "1954"
        code, out, err = command("predict", "org/reader", "some text", **env)
        assert (code, "headstart answer org/reader" in err) == (2, True)


def test_commands_that_cannot_work(years, tmp_path, command):
    small_text_model("bert", tmp_path / "classifier")
    shutil.copytree(years, tmp_path / "mute")
    (tmp_path / "mute" / "tokenizer.json").unlink()
    shutil.copytree(years, tmp_path / "edited")
    (tmp_path / "edited" / "headstart.json").write_text('{"reader": {"heat": 2}}')
    shutil.copytree(years, tmp_path / "sure")
    (tmp_path / "sure" / "headstart.json").write_text('{"reader": {"temperature": 2}}')
    (tmp_path / "text.txt").write_text("the tower was built in 1954")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "binary.txt").write_bytes(b"PK\0\0")
    (tmp_path / "table.csv").write_text("text,label\nfine,good\n")
    here = ("--context", "text.txt")
    for arguments, words in (
        (("answer", years, QUESTION), ["no text to look in", "--context"]),
        (("answer", years, QUESTION, "--context", "missing.txt"), ["No such file", "missing.txt"]),
        (("answer", years, QUESTION, "--context", "binary.txt"), ["not a text file", "binary.txt"]),
        (("answer", years, QUESTION, "--context", "empty.txt"), ["empty context"]),
        (("answer", years, " ", *here), ["empty question"]),
        (("answer", "classifier", QUESTION, *here), ["does not find answers", "ForQuestionAnswering"]),
        (("answer", "efficientnet_lite0", QUESTION, *here), ["does not find answers"]),
        (("answer", "mute", QUESTION, *here), ["no tokenizer.json", "mute"]),
        (("answer", "edited", QUESTION, *here), ["damaged", "headstart.json"]),
        (("answer", "nowhere/", QUESTION, *here), ["no such file or folder"]),
        (("predict", "sure", "some text"), ["finds answers in texts", "headstart answer sure"]),
        (("predict", years, "some text"), ["finds answers in texts", f"headstart answer {years}"]),
        (("evaluate", years, "table.csv"), ["no column 'context'"]),
    ):
        code, out, err = command(*arguments)
        assert (code, out) == (2, ""), (arguments, err)
        error = err[err.index("error: ") :].strip()
        assert error.count("\n") <= 1, err
        for word in words:
            assert word in error, (arguments, err)


def test_a_new_head_learns_from_windows_and_targets_and_opens_again(years, tmp_path, own_cache):
    """What training needs, step by step: the module, the windows of some rows, their targets, and a folder to answer
    from."""
    untrained, saved = tmp_path / "untrained", tmp_path / "saved"
    untrained.mkdir()
    small_reading_model("bert", untrained, words=[*FILLING, *YEARS, "when", "it", "?", "."])
    headless(untrained)
    with pytest.raises(ModelError, match="does not find answers"):
        load_backbone(str(untrained))
    questions = read_questions(questions_file(tmp_path, 90))
    torch.manual_seed(0)
    backbone = load_backbone(str(untrained), new_head=True)
    slicer, module = Slicer(backbone.preparation), backbone.module().train()
    assert slicer.most_tokens == 384
    optimiser = torch.optim.AdamW(module.parameters(), lr=3e-3)
    rows, losses = np.arange(len(questions)), []
    pairs = np.column_stack([rows, questions.context[rows]])
    for _ in range(10):
        for some, batch in batches(cut(questions.questions, questions.contexts, pairs, slicer), slicer, tokens=600):
            true = torch.from_numpy(targets(some, questions.answers)[:, 0])
            logits = module(*map(torch.from_numpy, batch))
            loss = torch.nn.functional.cross_entropy(logits, true, ignore_index=LEFT_OUT)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    module.eval().model.save_pretrained(saved)
    (saved / "tokenizer.json").write_text(backbone.preparation.tokenizer)
    reader = hs.load(saved)
    assert reader.evaluate(questions).scores.f1 > 0.6
    with torch.inference_mode():
        mine = [
            (np.arange(len(some)), batch)
            for some, batch in batches(cut([QUESTION], ["the 1954"], pairs[:1], slicer), slicer)
        ]
        theirs = module(*map(torch.from_numpy, mine[0][1])).numpy()
    ((_, ours),) = engines.open_engine(reader.backbone, "f32")(mine)
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
