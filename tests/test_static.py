"""Static embeddings, as model2vec keeps them: read as that library reads them, fitted, saved, explained."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import headstart as hs
from headstart.errors import ModelError, UserError
from small_models import WORDS, _tokenizer

WIDTH = 24
TEXTS = ["Where is my card?", "the rate", "xyzzy my plugh", "xyzzy"]


def table(folder, *, normalize=True, **tensors):
    """A folder as model2vec writes it, with a tokenizer that puts tokens around a text."""
    folder.mkdir(exist_ok=True)
    tokenizer = _tokenizer(roberta=False)
    tokenizer.save(str(folder / "tokenizer.json"))
    rng = np.random.default_rng(0)
    values = rng.normal(size=(tokenizer.get_vocab_size(), WIDTH)).astype(np.float32)
    save_file(tensors or {"embeddings": values}, folder / "model.safetensors")
    told = {"model_type": "model2vec", "architectures": ["StaticModel"], "normalize": normalize, "hidden_dim": WIDTH}
    (folder / "config.json").write_text(json.dumps(told))
    return folder


def by_hand(folder, text):
    """As model2vec's own code: no tokens around it, unknown ones left out, the mean, and its direction."""
    from tokenizers import Tokenizer

    found = load_file(folder / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = np.array(tokenizer.encode(text, add_special_tokens=False).ids)
    ids = ids[ids != tokenizer.token_to_id("[UNK]")]
    rows = found["mapping"][ids] if "mapping" in found else ids
    vectors = found["embeddings"][rows].astype(np.float32)
    if "weights" in found:
        vectors = vectors * found["weights"][ids][:, None]
    mean = vectors.mean(0) if len(ids) else np.zeros(WIDTH)
    normalize = json.loads((folder / "config.json").read_text())["normalize"]
    return mean / (np.linalg.norm(mean) + 1e-32) if normalize else mean


def features(folder):
    return hs.HeadstartEncoder(str(folder)).fit(TEXTS).transform(TEXTS)


@pytest.mark.parametrize("normalize", [True, False])
def test_features_are_those_of_model2vec(normalize, tmp_path, own_cache):
    folder = table(tmp_path / "static", normalize=normalize)
    np.testing.assert_allclose(features(folder), [by_hand(folder, text) for text in TEXTS], atol=2e-3)


def test_fewer_rows_than_tokens(tmp_path, own_cache):
    rng, n = np.random.default_rng(1), 5 + len(WORDS)
    tensors = {
        "embeddings": rng.normal(size=(7, WIDTH)).astype(np.float16),
        "mapping": rng.integers(0, 7, n),
        "weights": rng.uniform(0.1, 1, n).astype(np.float32),
    }
    folder = table(tmp_path / "static", **tensors)
    np.testing.assert_allclose(features(folder), [by_hand(folder, text) for text in TEXTS], atol=2e-3)


def test_fit_save_open_and_the_code_without_headstart(questions, tmp_path, own_cache):
    folder = table(tmp_path / "static")
    texts, labels = [text for text, _ in questions], [label for _, label in questions]
    out = tmp_path / "out"
    fitted = hs.fit(texts, labels, model=folder, test=0.3, out=out)
    assert fitted.summary["how"] == "probe"
    shutil.rmtree(folder)
    np.testing.assert_array_equal(hs.load(out).predict_proba(texts), fitted.predict_proba(texts))
    assert hs.fit(texts, labels, model=out, how="probe", test=0.3).backbone.width == WIDTH  # as a model to go on from
    card = (out / "README.md").read_text().replace('"out/', f'"{out}/').replace('"out"', f'"{out}"')
    code = card.split("Without headstart:")[1].split("```python\n")[1].split("```")[0]
    space: dict = {}
    exec(code.replace('"a text"', '"Where is my card?"'), space)
    outputs = np.exp(space["outputs"] - space["outputs"].max())
    np.testing.assert_allclose(outputs / outputs.sum(), fitted.predict_proba(["Where is my card?"])[0], atol=0.01)
    assert fitted.export(tmp_path / "exported").format == "openvino"
    words = fitted.explain("Where is my card?").words
    assert [word.text for word in words] == ["Where", "is", "my", "card", "?"]


def test_it_is_used_frozen(questions, tmp_path, own_cache):
    folder = table(tmp_path / "static")
    texts, labels = [text for text, _ in questions], [label for _, label in questions]
    with pytest.raises(UserError, match="a table of vectors can be used frozen only"):
        hs.fit(texts, labels, model=folder, how="tune", test=0.3)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"vectors": np.zeros((22, WIDTH), np.float32)}, "no table 'embeddings'"),
        ({"embeddings": np.zeros(22, np.float32)}, "no table 'embeddings'"),
        ({"embeddings": np.full((22, WIDTH), np.nan, np.float32)}, "no numbers"),
        ({"embeddings": np.zeros((9, WIDTH), np.float32)}, "the tokenizer has 22 words, the model vectors for 9"),
        ({"embeddings": np.zeros((9, WIDTH), np.float32), "mapping": np.full(22, 9)}, "do not fit together"),
        ({"embeddings": np.zeros((9, WIDTH), np.float32), "mapping": np.full(22, -1)}, "do not fit together"),
        (
            {"embeddings": np.zeros((22, WIDTH), np.float32), "weights": np.ones((22, 2), np.float32)},
            "do not fit together",
        ),
    ],
)
def test_tables_that_are_none_are_refused(tensors, said, tmp_path, own_cache):
    folder = table(tmp_path / "static", **tensors)
    with pytest.raises(ModelError, match=said):
        features(folder)


def test_a_folder_that_says_another_thing_of_its_table_is_refused(questions, tmp_path, own_cache):
    texts, labels = [text for text, _ in questions], [label for _, label in questions]
    out = tmp_path / "out"
    hs.fit(texts, labels, model=table(tmp_path / "static"), test=0.3, out=out)
    told = json.loads((out / "headstart.json").read_text())
    for name, value in (("tokens", 10**9), ("tokens", 5), ("unknown", -1), ("normalise", 3)):
        config = {**told["backbone"]["config"], name: value}
        (out / "headstart.json").write_text(json.dumps({**told, "backbone": {**told["backbone"], "config": config}}))
        with pytest.raises(ModelError):
            hs.load(out).predict(texts)
