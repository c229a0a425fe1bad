"""What lies in the folder of a stranger's model asks in vain for code, other files, and more than the weights have."""

from __future__ import annotations

import json
import math
import os
from typing import Any

import numpy as np
import pytest

import headstart as hs
from headstart.encode.encode import encode, features_key
from headstart.errors import ModelError
from headstart.pretrained.load import load
from headstart.pretrained.text_folder import refuse_strange_ids
from hostile import TEXTS, changed, digests, opened

FOREIGN = [  # what config.json of a text model asks for, and what is said
    ({"auto_map": {"AutoModel": "evil.Model"}}, "auto_map asks for code of the model's own"),
    ({"_attn_implementation": "somebody/kernels"}, "_attn_implementation asks for 'somebody/kernels'"),
    ({"attn_implementation": {"": "somebody/kernels"}}, "attn_implementation asks for 'somebody/kernels'"),
    ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config asks for quantised weights"),
    ({"transformers_weights": "../other.bin"}, "transformers_weights asks for weights in another file"),
    ({"model_type": "evil"}, "transformers knows no model_type 'evil'"),
    ({"model_type": ["bert"]}, "transformers knows no model_type"),
    ({"hidden_size": 10**9}, "width is 2000000000, not between 1 and 1,000,000"),
    ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000, not between -1 and 256"),
    ({"vocab_size": 10**9}, "these weights are not the model's: 32,000,029,060 numbers are asked for"),
    ({"max_position_embeddings": 10**9}, "these weights are not the model's"),
    ({"num_labels": 10**9}, "num_labels is 1000000000"),
    (
        {"num_hidden_layers": 6},
        "these weights are not the model's: 48 of 103 tensors are missing, first",
    ),
    ({"intermediate_size": 32}, "these weights are not the model's: 9 of 55 tensors have another shape"),
    ({"num_attention_heads": 3}, "transformers cannot use it: The hidden size"),
    ({"hidden_act": "os.system"}, "transformers cannot use it: KeyError 'os.system'"),
    ({"layer_norm_eps": math.nan}, "layer_norm_eps is nan, not a number"),
    ({"dtype": "nn"}, "dtype is 'nn'"),
    ({"pad_token_id": 10**6}, "transformers cannot use it"),
    ({"is_decoder": True}, "a 'bert' model of transformers, a decoder"),
    ({"id2label": {"5": "a", "7": "b"}}, "id2label has not the numbers from 0 to 1"),
    ({"id2label": {"0": "a", "01": "b"}}, "id2label has not the numbers from 0 to 1"),
    ({"architectures": ["../x"]}, r"architectures\[0\] is '../x'"),
]


@pytest.mark.parametrize(("asked", "said"), FOREIGN, ids=lambda value: str(value)[:50])
def test_what_a_config_asks_for_is_not_done(asked, said, made, tmp_path, own_cache):
    folder = changed(made.folder / "bert", tmp_path / "model", config=asked)
    with pytest.raises(ModelError, match=said) as error:
        load(str(folder), kind="text").module()
    assert str(error.value).count("\n") <= 1


def test_an_adapter_beside_the_weights_is_not_followed(made, tmp_path, own_cache):
    adapter = {"base_model_name_or_path": "somebody/model", "peft_type": "LORA"}
    folder = changed(made.folder / "bert", tmp_path / "model", adapter_config=adapter)
    ours, theirs = (load(str(path), kind="text") for path in (made.folder / "bert", folder))
    assert ours.function == theirs.function
    assert len(theirs.module().state_dict()) == len(ours.module().state_dict())


@pytest.mark.parametrize(
    ("kind", "said"),
    [("gpt2", "a decoder"), ("llama", "a decoder"), ("t5", "an encoder with a decoder"), ("bart", "with a decoder")],
)
def test_models_that_write_are_no_encoders(kind, said, made, tmp_path, own_cache):
    from transformers import AutoConfig

    config = AutoConfig.for_model(kind).to_dict()
    folder = changed(made.folder / "bert", tmp_path / "model", config=lambda _: config)
    with pytest.raises(ModelError, match=f"a '{kind}' model of transformers, .*{said}"):
        load(str(folder), kind="text")
    one_sided = {**config, "is_encoder_decoder": False, "is_decoder": False}
    with pytest.raises(ModelError, match=f"a '{kind}' model of transformers"):
        load(str(changed(made.folder / "bert", tmp_path / "other", config=lambda _: one_sided)), kind="text")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        *(("tokenizer.json", content) for content in ("", "{", "[]", "null", '{"model": {}}', "[" * 100_000)),
        *(("modules.json", content) for content in ("{", "{}", "null", "[" * 100_000)),
        *(("tokenizer_config.json", content) for content in ("[]", '{"auto_map": {"AutoTokenizer": ["a.B", null]}}')),
        ("1_Pooling/config.json", "[]"),
        ("sentence_bert_config.json", "\xff"),
        ("config.json", "[]"),
    ],
    ids=lambda value: value[:30],
)
def test_cut_files_beside_the_weights_are_named(file, content, made, tmp_path, own_cache):
    folder = changed(made.folder / "bert", tmp_path / "model")
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_bytes(content.encode("latin-1"))
    with pytest.raises(ModelError) as error:
        load(str(folder), kind="text")
    assert str(folder / file) in str(error.value)
    assert str(error.value).count("\n") <= 1


@pytest.mark.parametrize(
    ("where", "said"),
    [("model", "the tokenizer has"), ("added_tokens", "the tokenizer has"), ("post_processor", "the tokenizer has")],
)
def test_tokens_without_a_vector_are_refused(where, said, made, tmp_path, own_cache):
    def change(told: dict[str, Any]) -> dict[str, Any]:
        if where == "model":
            told["model"]["vocab"]["card"] = 1000
        elif where == "added_tokens":
            flags = dict.fromkeys(("lstrip", "normalized", "rstrip", "single_word"), False)
            told["added_tokens"].append({"id": 1000, "content": "[NEW]", "special": True, **flags})
        else:
            told["post_processor"]["cls"][1] = 1000
        return told

    with pytest.raises(ModelError, match=said):
        load(str(changed(made.folder / "bert", tmp_path / "model", tokenizer=change)), kind="text")
    with pytest.raises(ModelError, match=said):
        hs.load(changed(made.folder / "text", tmp_path / "text", tokenizer=change))


def test_a_tokenizer_that_makes_texts_many_times_longer_is_refused(made, tmp_path, own_cache):
    longer = {"type": "Replace", "pattern": {"String": "w"}, "content": "w" * 9}

    def change(told: dict[str, Any]) -> dict[str, Any]:
        return {**told, "normalizer": {"type": "Sequence", "normalizers": [longer, told["normalizer"], longer]}}

    with pytest.raises(ModelError, match="many times longer"):
        load(str(changed(made.folder / "bert", tmp_path / "model", tokenizer=change)), kind="text")
    with pytest.raises(ModelError, match="many times longer"):
        hs.load(changed(made.folder / "text", tmp_path / "text", tokenizer=change))


@pytest.mark.parametrize("token", [{"id": 5}, {"id": 5, "content": []}, {"content": "a"}, None, 5], ids=str)
def test_added_tokens_that_are_none_are_no_tokenizer(token, tmp_path):
    told = {"model": {"vocab": {"a": 0}}, "added_tokens": [token]}
    with pytest.raises(ModelError, match="not a tokenizer"):
        refuse_strange_ids(json.dumps(told), 100, tmp_path / "tokenizer.json")


@pytest.mark.skipif(not os.path.exists("/proc/self/pagemap"), reason="a system without endless files")
def test_an_endless_file_beside_the_weights_is_not_read_to_its_end(made, tmp_path, own_cache):
    """Of no bytes, as the system says."""
    folder = changed(made.folder / "bert", tmp_path / "model")
    (folder / "vocab.txt").symlink_to("/proc/self/pagemap")
    with pytest.raises(ModelError, match=r"vocab.txt: .*more than 1,048,576 bytes"):
        load(str(folder), kind="text")


def test_an_edited_config_never_changes_what_the_genuine_model_computes(made, tmp_path, own_cache):
    genuine = load(str(made.folder / "bert"), kind="text")
    edited = load(str(changed(made.folder / "bert", tmp_path / "edited", config={"hidden_act": "relu"})), kind="text")
    assert genuine.weights_hash == edited.weights_hash
    other, ours = (encode(TEXTS, digests(TEXTS), backbone).matrix[:] for backbone in (edited, genuine))
    assert np.abs(ours - other).max() > 0.01
    os.environ["HEADSTART_CACHE"] = str(tmp_path)  # own_cache puts it back
    np.testing.assert_array_equal(encode(TEXTS, digests(TEXTS), genuine).matrix[:], ours)
    named = load(
        str(changed(made.folder / "bert", tmp_path / "named", config={"id2label": {"0": "a", "1": "b"}})), kind="text"
    )
    assert features_key(named, "f32") == features_key(genuine, "f32")  # names change nothing


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
@pytest.mark.parametrize("kind", ["image", "text", "bert", "vit"])
def test_pipes_and_sparse_files_are_not_waited_for(kind, made, tmp_path, own_cache):
    folder = changed(made.folder / kind, tmp_path / kind)
    needed = ("headstart.json", "model.safetensors", "head.safetensors", "config.json", "tokenizer.json")
    saved = kind in ("image", "text")
    for name in needed:
        if not (folder / name).exists() or (saved and name == "config.json"):
            continue
        aside = (folder / name).rename(tmp_path / "aside")
        for make in (os.mkfifo, lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 200 * 2**30)):
            make(folder / name)
            with pytest.raises(ModelError, match=r"a named pipe, not a file|bytes, more than"):
                opened(folder) if saved else load(str(folder), kind="text" if kind == "bert" else "image")
            (folder / name).unlink()
        aside.rename(folder / name)


def test_a_damaged_description_in_the_cache_is_made_anew(made, own_cache):
    first = load(str(made.folder / "vit"), kind="image")
    (kept,) = (own_cache / "backbones").glob("*/backbone.json")
    whole, weights = kept.read_bytes(), (kept.parent / "model.safetensors").read_bytes()
    told = json.loads(whole)
    for content in (b"", whole[:100], b"[]", b"{}", json.dumps({**told, "width": None}).encode()):
        kept.write_bytes(content)
        assert load(str(made.folder / "vit"), kind="image").function == first.function
    (kept.parent / "model.safetensors").write_bytes(weights[:1000])
    assert load(str(made.folder / "vit"), kind="image").function == first.function
    assert (kept.parent / "model.safetensors").read_bytes() == weights
