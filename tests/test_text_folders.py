"""Folders of text models as other people keep them: in several files, or with a vocabulary and no word on its case."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from headstart.errors import ModelError
from headstart.pretrained.load import load
from small_models import small_text_model


@pytest.fixture
def model(tmp_path):
    small_text_model("bert", tmp_path / "bert")
    return tmp_path / "bert"


def in_two_files(folder, *, torch_files):
    """As save_pretrained writes a large model."""
    name, save = ("pytorch_model.bin", torch.save) if torch_files else ("model.safetensors", save_file)
    state, stem, ending = load_file(folder / "model.safetensors"), *name.split(".")
    files = [f"{stem}-0000{i}-of-00002.{ending}" for i in (1, 2)]
    names = sorted(state)
    for i, file in enumerate(files):
        save({name: state[name] for name in names[i::2]}, folder / file)
    (folder / "model.safetensors").unlink()
    index = folder / f"{name}.index.json"
    told = {"metadata": {}, "weight_map": {name: files[i % 2] for i, name in enumerate(names)}}
    index.write_text(json.dumps(told))
    return index, told


@pytest.mark.parametrize("torch_files", [True, False])
def test_weights_in_several_files(torch_files, model, own_cache):
    whole = load(str(model), kind="text")
    index, told = in_two_files(model, torch_files=torch_files)
    assert load(str(model), kind="text").weights_hash == whole.weights_hash
    last = model / sorted(told["weight_map"].values())[-1]
    last.rename(model / "away")
    with pytest.raises(ModelError, match="1 of 2 files are missing, first"):
        load(str(model), kind="text")
    (model / "away").rename(last)
    for strange in ("../away.safetensors", "/etc/passwd", "model.pickle"):
        index.write_text(json.dumps({"weight_map": {**told["weight_map"], "x": strange}}))
        with pytest.raises(ModelError, match="file beside it"):
            load(str(model), kind="text")
    index.write_text(json.dumps({"weight_map": {**told["weight_map"], "x": last.name}}))
    with pytest.raises(ModelError, match="'x' is not in it, as the index says"):
        load(str(model), kind="text")


def test_a_wrapped_text_model(model, own_cache):
    whole = load(str(model), kind="text")
    state = load_file(model / "model.safetensors")
    torch.save(
        {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, model / "pytorch_model.bin"
    )
    (model / "model.safetensors").unlink()
    assert load(str(model), kind="text").weights_hash == whole.weights_hash


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<unk>", "paris", "we", "went", "to", ".", "in"]


def read_by(folder, vocabulary, settings=None):
    """The tokens of a text, by a folder with a vocabulary alone."""
    from tokenizers import Tokenizer

    (folder / "tokenizer.json").unlink(missing_ok=True)
    (folder / "tokenizer_config.json").unlink(missing_ok=True)
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    return Tokenizer.from_str(load(str(folder), kind="text").texts.tokenizer).encode("We went to Paris.").tokens[1:-1]


def test_a_vocabulary_without_a_word_on_its_case(model, own_cache):
    cased = [*WORDS[:6], "Paris", "We", *WORDS[8:]]
    assert read_by(model, cased) == ["We", "went", "to", "Paris", "."]
    assert read_by(model, WORDS) == ["we", "went", "to", "paris", "."]
    assert read_by(model, WORDS, {"do_lower_case": False}) == ["[UNK]", "went", "to", "[UNK]", "."]


def test_a_few_capitals_say_nothing(model, tmp_path):
    from headstart.pretrained.text_folder import tokenizer

    (model / "tokenizer.json").unlink()
    (model / "vocab.txt").write_text("\n".join([*WORDS, "URL", *(f"word{i}" for i in range(100))]) + "\n")
    (model / "tokenizer_config.json").unlink()
    with pytest.raises(ModelError, match=r"0\.93 % of its words have capitals") as raised:
        tokenizer(model, "bert")
    assert '{"do_lower_case": false}' in str(raised.value)
