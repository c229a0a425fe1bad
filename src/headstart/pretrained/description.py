"""What headstart writes of a model, and what of it is believed when it is read again.

A saved folder may come from anybody, and headstart.json in it says how a model is built and fed. Every field is checked
here before it is used: its type, its range, and that it fits the others. What is not known is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headstart.errors import ModelError
from headstart.pretrained.foreign_files import json_object
from headstart.pretrained.heads import HEADS, NO_HEAD, own_head
from headstart.pretrained.schema import (
    Check,
    Wrong,
    an_object,
    by_field,
    checked,
    either,
    flag,
    listing,
    mapping,
    maybe,
    number,
    one_of,
    plain,
    record,
    some_object,
    text,
    whole,
)
from headstart.pretrained.timm_arguments import (
    ARCHITECTURE,
    CLASSIFIER,
    CROP_MODES,
    FILTERS,
    LABELS,
    PRETRAINED,
    TENSORS,
    model_args,
)
from headstart.pretrained.translated import FIRST_STRIDE, NO_FULLY_CONNECTED
from headstart.storage.files import MOST_JSON, is_there

FILE = "headstart.json"
MOST_LAYERS = 256
POOLINGS = ("mean", "cls", "max")  # how the states of tokens become one vector
MOST_PREFIX = 1000  # characters that stand before every text
_MOST_WIDTH, _MOST_TOKENS, _MOST_IDS = 1_000_000, 1_000_000, 10_000_000
_READS = ["input_ids", "attention_mask"]
_READS_TYPES = [*_READS, "token_type_ids"]

IMAGES = record(
    {
        "size": listing(whole(1, 4096), least=2, most=2),
        "crop": number(above=0, high=2),  # some of timm's see a border around the image
        "interpolation": FILTERS,
        "mean": listing(number(-1000, 1000), least=3, most=3),
        "std": listing(number(above=0, high=1000), least=3, most=3),
    },
    {"crop_mode": CROP_MODES},
)
_TEXTS = record(
    {
        "max_length": whole(1, _MOST_TOKENS),
        "pad_id": whole(0, _MOST_IDS),
        "inputs": one_of(_READS, _READS_TYPES),
    },
    {
        "most_padding": maybe(whole(0, _MOST_TOKENS)),
        "tokenizer": text(most=MOST_JSON),
        "prefix": text(most=MOST_PREFIX),
    },
)

TOKENIZER = record(  # what of tokenizer_config.json is kept: it has many readers, and some of it names code
    {},
    {
        **{
            name: plain
            for name in (
                *("bos_token", "cls_token", "eos_token", "mask_token", "pad_token", "sep_token", "unk_token"),
                *("added_tokens_decoder", "additional_special_tokens", "extra_special_tokens", "model_input_names"),
                *("never_split", "sp_model_kwargs", "errors", "strip_accents", "max_length", "truncation_strategy"),
                *("padding_side", "truncation_side", "pad_to_multiple_of", "pad_token_type_id", "stride"),
            )
        },
        **{
            name: maybe(flag)
            for name in (
                *("add_bos_token", "add_eos_token", "add_prefix_space", "clean_up_tokenization_spaces"),
                *("do_basic_tokenize", "do_lower_case", "keep_accents", "legacy", "lowercase", "remove_space"),
                *("split_by_punct", "tokenize_chinese_chars", "trim_offsets", "wordpieces_prefix"),
            )
        },
        "wordpieces_prefix": maybe(text(most=20)),
        "vocab_type": maybe(text(most=20)),
        "tokenizer_class": maybe(text(most=100, pattern=r"[A-Za-z0-9_]+", said="the name of a class")),
        "model_max_length": maybe(number(low=0)),
    },
)

_TIMM = record(
    {"classifier": CLASSIFIER, "pretrained_cfg": PRETRAINED},
    {
        "model_args": model_args,
        "changes": listing(one_of(FIRST_STRIDE, NO_FULLY_CONNECTED), most=2, distinct=True),
        "norms": listing(text(most=200, pattern=TENSORS, said="the name of a layer"), most=16, distinct=True),
    },
)
_KEPT: dict[str, Check] = {"transformers": an_object, "tokenizer": TOKENIZER}
_POOLED = record(
    {
        **_KEPT,
        "pooling": one_of(*POOLINGS),
        "normalise": flag,
        "layers": listing(whole(0, MOST_LAYERS), least=1, most=8, distinct=True),
    },
    {
        "pair": one_of("joint"),  # trained on pairs of texts, each as one sequence
        "windows": one_of("mean"),  # long texts are read in windows, whose features are averaged
    },
)
_HEADED = record({**_KEPT, "head": one_of(*filter(None, HEADS))}, {"inputs": one_of(_READS, _READS_TYPES)})
_TRANSFORMERS = by_field("head", _HEADED, _POOLED)
_STATIC = record(
    {"tokens": whole(1, _MOST_IDS), "unknown": maybe(whole(0, _MOST_IDS)), "normalise": flag},
    {"windows": one_of("mean")},
)
_SIDECAR = record({"name": one_of("preprocessor_config.json", "config.json"), "content": an_object})
_ONNX = record({"sidecar": _SIDECAR, "features": text(most=1000)})

_HASH = text(most=64, pattern="[0-9a-f]{64}", said="a sha256")
_SOURCES: dict[str, tuple[str, Check, Check, Check]] = {  # kind, architecture, preparation, config
    "timm": ("image", ARCHITECTURE, IMAGES, _TIMM),
    "onnx": ("image", one_of(""), IMAGES, _ONNX),
    "static": ("text", one_of(""), _TEXTS, _STATIC),
    "transformers": ("text", text(most=200, pattern=r"\w+", said="the name of a class"), _TEXTS, _TRANSFORMERS),
}


def _description(value: Any, name: str) -> dict[str, Any]:
    """As `load.describe_saved` writes it, or `load` keeps it in the cache (which has the last two besides)."""
    source = record({"source": one_of(*_SOURCES)})(value, name)["source"]
    kind, architecture, preparation, config = _SOURCES[source]
    found: dict[str, Any] = record(
        {
            "name": text(most=1000),
            "source": one_of(source),
            "architecture": architecture,
            "kind": one_of(kind),
            "width": whole(1, _MOST_WIDTH),
            "weights_hash": _HASH,
            "licence": text(most=1000),
            "preparation": preparation,
            "config": config,
        },
        {
            "precision": one_of("float32", "bfloat16"),  # as the user asked
            "weights": one_of("model.safetensors", "model.onnx"),
            "classes": maybe(LABELS),
        },
    )(value, name)
    asked = found["config"]
    wanted = asked.get("inputs") or _READS
    if found["preparation"].get("inputs", wanted) != wanted:  # those of images have no such field
        raise Wrong(f"{name}.preparation.inputs is not what the model takes, {', '.join(wanted)}")
    if own_head(asked).finds_answers and found["width"] != 2:
        raise Wrong(f"{name}.width is {found['width']}, not 2: a first and a last token")
    return found


_HEAD = record(
    {
        "file": one_of("model.safetensors", "head.safetensors"),
        "prefix": text(most=200, pattern=rf"({TENSORS}\.)?", said="the beginning of a tensor's name"),
        "features_key": text(most=MOST_JSON),
        "penalty": number(low=0),
        "temperature": number(above=0),
    },
    {
        "hash": _HASH,  # of folders that were saved since there is one
        "times": whole(1, 8),  # as wide as a text's features: of pairs, which are compared
        "thresholds": listing(number(0, 1), most=_MOST_WIDTH),
        "width": number(above=0),
        "mean": number(),
        "deviation": number(above=0),
        "more": mapping(either(number(), listing(number(), most=_MOST_WIDTH)), most=100),  # of its task's own
    },
)
_CLASSES = listing(text(most=100_000), least=1, most=_MOST_WIDTH, distinct=True)
_CLASSIFIER = record(
    {"classes": _CLASSES, "classes_hash": _HASH, "backbone": _description, "head": _HEAD, "summary": some_object},
    {"record": some_object},
)
_SETTINGS = {"temperature": number(above=0), "threshold": maybe(number()), "longest": whole(1, _MOST_TOKENS)}


def _settings(value: Any, name: str) -> dict[str, Any]:
    """A reader's, which people write by hand too: one that is not known is not passed over."""
    found: dict[str, Any] = record({}, _SETTINGS)(value, name)
    for other in value.keys() - found.keys():
        raise Wrong(f"{name} has {other[:60]!r}, which is none of {', '.join(_SETTINGS)}")
    return found


_READER = record({}, {"reader": _settings, "backbone": _description, "summary": some_object, "record": some_object})


def told_by(folder: Path) -> dict[str, Any] | None:
    """What headstart.json in a folder says, unchecked; None where there is none.

    Raises:
        ModelError: it cannot be read, or is no JSON object.
    """
    return json_object(folder / FILE) if is_there(folder / FILE) else None


def saved_classifier(described: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Of a folder that `fit` saved: classes, classes_hash, backbone, head, summary.

    Raises:
        ModelError: a field is missing, of another type or out of its range.
    """
    found: dict[str, Any] = checked(described, _CLASSIFIER, str(folder / FILE), ours=True)
    if own_head(found["backbone"]["config"]) is not NO_HEAD:
        raise ModelError("damaged: backbone.config has a head of its own", where=str(folder / FILE))
    if class_hash(found["classes"]) != found["classes_hash"]:
        raise ModelError("the class names were changed after saving", where=str(folder / FILE), fix="restore the file")
    return found


def saved_reader(described: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Of a saved folder whose model finds answers: reader, backbone and summary, those that are there.

    Raises:
        ModelError: as `saved_classifier`.
    """
    found: dict[str, Any] = checked(described, _READER, str(folder / FILE), ours=True)
    return found


def description(described: Any, where: Path, *, ours: bool = True) -> dict[str, Any]:
    """Of a backbone: as `describe_saved` made it, or as it is kept in the cache.

    Args:
        ours: headstart wrote it; else a library has just said so.

    Raises:
        ModelError: as `saved_classifier`.
    """
    found: dict[str, Any] = checked(described, _description, str(where), ours=ours)
    return found


def class_hash(classes: Sequence[str]) -> str:
    """sha256 over the names in order; in every saved folder, so that an edited label list is noticed."""
    return hashlib.sha256("\x00".join(classes).encode("utf-8", "surrogatepass")).hexdigest()
