"""What of a folder's config.json reaches transformers: the fields of a known kind of encoder, of a bounded size.

transformers takes a config.json at its word: code of the model's own, attention kernels from the hub, weights in
another file, quantised ones, another model below an adapter. Here a config object is made of the fields that its class
has, nothing else is looked at, and what asks for any of that is refused.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from headstart.errors import ModelError, somebody_elses
from headstart.pretrained.description import MOST_LAYERS
from headstart.pretrained.schema import (
    Check,
    Wrong,
    an_object,
    checked,
    either,
    listing,
    maybe,
    one_of,
    plain,
    text,
    whole,
)
from headstart.pretrained.torchvision_operators import declare_missing
from headstart.pretrained.weights import RawTensor

declare_missing()
from transformers import CONFIG_MAPPING, MODEL_MAPPING  # noqa: E402  (imports torchvision)
from transformers.models.auto.modeling_auto import (  # noqa: E402
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)
from transformers.utils import logging  # noqa: E402

_OTHERS_WORK = {  # fields that have something opened, fetched or run
    "auto_map": "code of the model's own, and headstart runs none",
    "custom_pipelines": "code of the model's own, and headstart runs none",
    "quantization_config": "quantised weights, which headstart does not read",
    "compression_config": "quantised weights, which headstart does not read",
    "transformers_weights": "weights in another file",
    "base_model_name_or_path": "another model below this one",
}
_ATTENTION = (
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "_attn_implementation_autoset",
)
_LEGACY = {  # what older files call what the classes have today under another name
    *("torch_dtype", "num_labels", "rope_theta", "rope_scaling", "partial_rotary_factor", "global_rope_theta"),
    *("local_rope_theta", "global_attn_every_n_layers", "rope_local_base_freq", "sliding_window_pattern"),
    *("pooler_hidden_size", "use_bidirectional_attention"),
}
_NOT_THEIRS = {  # what a model gives back is for us to say, and where it came from means nothing here
    *("return_dict", "output_hidden_states", "output_attentions", "torchscript", "use_cache"),
    *("transformers_version", "_name_or_path", "name_or_path", "model_type"),
}
_READS_BOTH_WAYS = ("xlnet",)  # though it is only listed as a model that writes
_LOOPED = ("layer", "block", "group", "depth", "stage")  # a module is made for each
_COUNTED = ("num_", "n_")
_MOST_COUNTED, _MOST_NUMBER = 100_000, 2**40
_FLOATS = ("F16", "BF16", "F32", "F64")
_SPARE = 2**26  # numbers that a model may have beyond its file's: buffers, a head that is to be trained
_WORDS = text(most=10_000)
_WINDOW = whole(1, 2048)  # tokens: texts are filled up to a multiple of it, and memory goes with its square
_FIELDS: dict[str, Check] = {
    "attention_window": either(_WINDOW, listing(_WINDOW, most=MOST_LAYERS)),
    "architectures": maybe(listing(text(most=200, pattern=r"\w+", said="the name of a class"), most=16)),
    "dtype": maybe(one_of("float32", "float16", "bfloat16", "float64")),
    "torch_dtype": maybe(one_of("float32", "float16", "bfloat16", "float64")),
    "id2label": maybe(an_object),
    "label2id": maybe(an_object),
}


def encoder_config(given: dict[str, Any], where: str) -> Any:
    """The config object of an encoder of texts.

    Raises:
        ModelError: of a kind that transformers does not have, or that is no encoder; a field with a value that cannot
            be; or one that asks for code, for another file or another model.
    """
    _refuse_others_work(given, where)
    kind = given.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise ModelError(
            f"transformers knows no model_type {str(kind)[:60]!r}",
            where=where,
            fix="headstart models lists some that it does",
        )
    with somebody_elses("transformers", where=where, fix=_FIX), quiet():
        source = CONFIG_MAPPING[kind]
        usual = source()
        known = {*usual.to_dict(), *source.attribute_map, *inspect.signature(source).parameters, *_LEGACY} - _NOT_THEIRS
        fields = checked({name: value for name, value in given.items() if name in known}, _fields, where)
        config = source.from_dict(fields)
    _refuse_writers(config, usual, where)
    return config


_FIX = "fetch the model again, or take another: headstart models"


def _refuse_others_work(given: dict[str, Any], where: str) -> None:
    for name, what in _OTHERS_WORK.items():
        if given.get(name):
            raise ModelError(
                f"{name} asks for {what}", where=where, fix="take a model that needs none: headstart models"
            )
    for name in _ATTENTION:
        asked = given.get(name)
        for one in asked.values() if isinstance(asked, dict) else [asked]:
            if not any(one is value or one == value for value in (None, True, False, "eager", "sdpa")):
                raise ModelError(
                    f"{name} asks for {str(one)[:60]!r}, and headstart runs no kernels from elsewhere",
                    where=where,
                    fix='"sdpa" or "eager" do',
                )


def _fields(value: Any, name: str) -> dict[str, Any]:
    found = {key: _FIELDS.get(key, _bounded)(entry, key) for key, entry in value.items()}
    labels = found.get("id2label")
    if labels is not None and not all(isinstance(label, str) for label in labels.values()):
        raise Wrong("id2label is not an object of numbers and names")
    if labels is not None and labels.keys() != {str(number) for number in range(len(labels))}:
        raise Wrong(f"id2label has not the numbers from 0 to {len(labels) - 1}")
    return found


def _bounded(value: Any, name: str) -> Any:
    """Plain JSON; whole numbers are of a size that such a field may have."""
    low, most = -_MOST_NUMBER, _MOST_NUMBER
    if any(word in name for word in _LOOPED) and not name.endswith("_id"):
        low, most = -1, MOST_LAYERS
    elif name.startswith(_COUNTED):
        low, most = -1, _MOST_COUNTED
    if isinstance(value, int) and not isinstance(value, bool):
        return whole(low, most)(value, name)
    if isinstance(value, list) and most == MOST_LAYERS:
        return listing(either(maybe(whole(low, most)), _WORDS), most=MOST_LAYERS)(value, name)
    return plain(value, name)


def _refuse_writers(config: Any, usual: Any, where: str) -> None:
    """Models that write texts, or look at other things than texts."""
    kind = config.model_type
    writes = kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if getattr(config, "use_bidirectional_attention", False) or kind in _READS_BOTH_WAYS:
        writes = False
    if config.is_encoder_decoder or usual.is_encoder_decoder:
        what = "an encoder with a decoder behind it, which writes texts"
    elif writes or getattr(config, "is_decoder", False) or getattr(config, "causal", False):
        what = "a decoder, which writes texts and sees only what stands before a word"
    elif not hasattr(config, "vocab_size") or not _takes_texts(config):
        what = "which is no encoder of texts"
    else:
        return
    raise ModelError(
        f"a {kind!r} model of transformers, {what}",
        where=where,
        fix="take an encoder of BERT's kind (for images, timm's version of it): headstart models",
    )


def _takes_texts(config: Any) -> bool:
    source: Any = MODEL_MAPPING.get(type(config), None)
    source = source[0] if isinstance(source, list | tuple) else source
    takes = inspect.signature(source.forward).parameters if source else {}
    return {"input_ids", "attention_mask"} <= set(takes) and "pixel_values" not in takes


def refuse_unlike(source: Any, config: Any, tensors: dict[str, RawTensor], where: str) -> None:
    """Raises ModelError where a file's tensors are no weights, or a model would have far more numbers than they.

    Before any of them is allocated.
    """
    for name, tensor in tensors.items():
        if tensor.dtype not in _FLOATS and name.endswith((".weight", ".bias", ".gamma", ".beta")):
            raise ModelError(
                f"these weights are not the model's: {name[:100]!r} is of type {tensor.dtype}", where=where, fix=_FIX
            )
    with somebody_elses("transformers", where=where, fix=_FIX), torch.device("meta"):
        model: nn.Module = source(config)
        wanted = sum(weight.numel() for weight in (*model.parameters(), *model.buffers()))
    there = sum(len(tensor.data) for tensor in tensors.values())  # bytes: at least one a number
    if wanted > there + _SPARE:
        raise ModelError(
            f"these weights are not the model's: {wanted:,} numbers are asked for, and the file has {there:,} bytes",
            where=where,
            fix=_FIX,
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bar and notes to developers, which headstart's users can do nothing about."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        logging.enable_progress_bar()
