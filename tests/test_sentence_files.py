"""What sentence-transformers writes beside an encoder: prompts, pooling, modules; and the prefixes of the catalog."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

import headstart as hs
from headstart.errors import ModelError
from headstart.pretrained import catalog
from small_models import small_text_model

TEXTS = ["where is my card?", "the rate", "i lost it"]
PROMPT = "my new card "


@pytest.fixture
def model(tmp_path):
    small_text_model("bert", tmp_path / "bert")
    return tmp_path / "bert"


@pytest.fixture
def prompted(model, tmp_path):
    """The same model, which asks for a prompt."""
    shutil.copytree(model, tmp_path / "prompted")
    write(tmp_path / "prompted", prompts={"q": PROMPT, "other": "no "}, default_prompt_name="q")
    return tmp_path / "prompted"


def write(folder, **told) -> None:
    (folder / "config_sentence_transformers.json").write_text(json.dumps(told))


def pooled_by(folder, **told):
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(told))
    return folder


def features(model, texts):
    return hs.HeadstartEncoder(str(model)).fit(texts).transform(texts)


def test_a_prompt_stands_before_every_text(model, prompted, own_cache):
    plain = features(model, [PROMPT + text for text in TEXTS])
    np.testing.assert_allclose(features(prompted, TEXTS), plain, atol=0.01)
    assert np.abs(features(model, TEXTS) - plain).max() > 0.1  # and the two are kept apart in the cache
    write(prompted, prompts={"q": PROMPT}, default_prompt_name=None)
    np.testing.assert_allclose(features(prompted, TEXTS), features(model, TEXTS), atol=1e-5)


@pytest.mark.parametrize("how", ["probe", "tune"])
def test_what_was_fitted_with_a_prompt_predicts_with_it(how, prompted, questions, tmp_path, own_cache):
    texts, labels = [text for text, _ in questions], [label for _, label in questions]
    out = tmp_path / "out"
    fitted = hs.fit(texts, labels, model=prompted, how=how, test=0.3, out=out)
    shutil.rmtree(prompted)
    saved = hs.load(out)
    np.testing.assert_array_equal(saved.predict_proba(texts), fitted.predict_proba(texts))
    told = json.loads((out / "headstart.json").read_text())["backbone"]
    assert told["preparation"]["prefix"] == PROMPT
    without = {name: value for name, value in told["preparation"].items() if name != "prefix"}
    edited = json.loads((out / "headstart.json").read_text())
    edited["backbone"]["preparation"] = without
    (out / "headstart.json").write_text(json.dumps(edited))
    with pytest.raises(ModelError):  # the head knows of which function its features are
        hs.load(out).predict(texts)


def test_code_without_headstart_and_exports_have_the_prompt(prompted, questions, tmp_path, own_cache):
    texts, labels = [text for text, _ in questions], [label for _, label in questions]
    out = tmp_path / "out"
    fitted = hs.fit(texts, labels, model=prompted, how="probe", test=0.3, out=out)
    card = (out / "README.md").read_text().replace('"out/', f'"{out}/').replace('"out"', f'"{out}"')
    code = card.split("Without headstart:")[1].split("```python\n")[1].split("```")[0]
    assert json.dumps(PROMPT + "a text") in code
    space: dict = {}
    exec(code, space)
    ours = fitted.predict_proba(["a text"])[0]
    outputs = np.exp(space["outputs"] - space["outputs"].max())
    np.testing.assert_allclose(outputs / outputs.sum(), ours, atol=0.01)
    told = fitted.export(tmp_path / "exported")  # it compares its own code with headstart
    assert told is not None
    assert json.loads((tmp_path / "exported" / "model.json").read_text())["texts"]["prefix"] == PROMPT


def test_no_word_of_an_explanation_is_the_prompts(prompted, questions, tmp_path, own_cache):
    texts, labels = [text for text, _ in questions], [label for _, label in questions]
    fitted = hs.fit(texts, labels, model=prompted, how="probe", test=0.3)
    found = fitted.explain("Where is my card?")
    assert [word.text for word in found.words] == ["Where", "is", "my", "card", "?"]


@pytest.mark.parametrize("mode", ["cls", "max", "mean"])
def test_pooling_is_what_the_files_say(mode, model, own_cache):
    pooled_by(model, **{f"pooling_mode_{'cls_token' if mode == 'cls' else f'{mode}_tokens'}": True})
    ours = features(model, TEXTS)[:, :32]
    from transformers import AutoModel, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(model / "tokenizer.json"))
    encoder = AutoModel.from_pretrained(model).eval()
    for row, text in zip(ours, TEXTS, strict=True):
        with torch.inference_mode():
            tokens = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
            states = encoder(**tokens).last_hidden_state[0]
        theirs = {"cls": states[0], "max": states.amax(0), "mean": states.mean(0)}[mode]
        np.testing.assert_allclose(row, theirs, atol=0.01)
    pooled_by(model, pooling_mode=mode)  # as newer versions write it
    np.testing.assert_allclose(features(model, TEXTS)[:, :32], ours, atol=1e-5)


@pytest.mark.parametrize(
    ("file", "told", "said"),
    [
        ("1_Pooling/config.json", {"pooling_mode_lasttoken": True}, "pooled by lasttoken"),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, "max and mean"),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": "yes"}, "pooling_mode_cls_token"),
        ("1_Pooling/config.json", {"pooling_mode": {"a": 1}}, "pooling_mode"),
        ("1_Pooling/config.json", {"pooling_mode": "attention"}, "pooled by attention"),
        ("modules.json", [{"type": "evil.Router", "path": "../.."}], "a module 'Router'"),
        ("modules.json", [{"type": "a.Pooling"}, {"type": "a.Pooling"}], "several"),
        ("modules.json", {"a": 1}, "not a JSON list"),
        ("config_sentence_transformers.json", {"default_prompt_name": "q"}, "no such prompt"),
        ("config_sentence_transformers.json", {"default_prompt_name": 3}, "default_prompt_name"),
        ("config_sentence_transformers.json", {"prompts": ["q"], "default_prompt_name": "q"}, "prompts"),
        (
            "config_sentence_transformers.json",
            {"prompts": {"q": "card " * 199}, "default_prompt_name": "q"},
            "its prompt has 201 tokens, of 64",
        ),
        (
            "config_sentence_transformers.json",
            {"prompts": {"q": "card " * 201}, "default_prompt_name": "q"},
            "1,005 characters",
        ),
    ],
)
def test_what_headstart_does_not_do_is_refused_by_name(file, told, said, model, own_cache):
    (model / "1_Pooling").mkdir(exist_ok=True)
    (model / file).write_text(json.dumps(told))
    with pytest.raises(ModelError, match=said):
        features(model, TEXTS)


def test_a_prompt_that_is_not_pooled_is_refused(prompted, own_cache):
    pooled_by(prompted, pooling_mode_mean_tokens=True, include_prompt=False)
    with pytest.raises(ModelError, match="its prompt is left out when texts are pooled"):
        features(prompted, TEXTS)


def test_the_prefix_of_a_row_stands_before_every_text(monkeypatch, own_cache):
    name = "all-MiniLM-L6-v2"
    prefixed = features(name, [f"query: {text}" for text in TEXTS])
    monkeypatch.setitem(vars(catalog.find(name)), "prefix", "query: ")
    np.testing.assert_allclose(features(name, TEXTS), prefixed, atol=0.01)


def test_rows_name_the_prefixes_that_their_models_were_trained_with():
    wanted = {card.name: card.prefix for card in catalog.cards() if card.prefix}
    assert wanted == {
        **dict.fromkeys(("e5-small-v2", "e5-base-v2", "multilingual-e5-small", "multilingual-e5-base"), "query: "),
        "modernbert-embed-base": "classification: ",
    }
