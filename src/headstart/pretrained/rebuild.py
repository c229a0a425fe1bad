"""Backbones and heads from their description, and the description of a backbone: no library of models is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import ModelError
from headstart.pretrained.description import description
from headstart.pretrained.foreign_files import text_of
from headstart.pretrained.text_folder import refuse_strange_ids
from headstart.pretrained.weights import RawTensor, file_sha256, raw_tensors, tensors_hash
from headstart.storage.files import is_there, parse_json
from headstart.storage.places import as_json
from headstart.values import Backbone, Classifier, ImagePreparation, TextPreparation

if TYPE_CHECKING:
    import numpy as np

_PLAIN = ("name", "source", "architecture", "kind", "width", "weights_hash", "config", "licence")


def rebuilt(told: dict[str, Any], weights: Path, *, tokenizer: str | None = None, proven: bool = False) -> Backbone:
    """From a description. Texts: the tokenizer is in it, or handed in.

    Args:
        proven: the library has said itself how the model is built.
    """
    preparation: ImagePreparation | TextPreparation
    if told["kind"] == "image":
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told["preparation"].items()}
        preparation = ImagePreparation(**fields)
    else:
        fields = {**told["preparation"], "inputs": tuple(told["preparation"]["inputs"])}
        preparation = TextPreparation(**(fields if tokenizer is None else {**fields, "tokenizer": tokenizer}))
    plain = {k: told[k] for k in _PLAIN}
    return Backbone(**plain, preparation=preparation, weights=weights, module=_builder(told, weights, proven))


def _builder(told: dict[str, Any], weights: Path, proven: bool) -> Callable[[], Any]:
    """What builds the module: it loads the library, so it is called only where an engine is compiled."""

    def module() -> Any:
        from headstart.pretrained.source import SOURCES  # which writes folders by this module's functions

        return SOURCES[told["source"]].module(told, weights, proven)

    return module


def backbone_hash(weights: Path, tensors: dict[str, RawTensor], config: dict[str, Any]) -> str:
    """The weights and all that changes what they compute: what `Backbone.weights_hash` holds."""
    hashed = file_sha256(weights) if weights.suffix == ".onnx" else tensors_hash(tensors)
    computed = {k: config[k] for k in ("pooling", "normalise", "layers", "head", "changes") if config.get(k)}
    return hashlib.sha256((hashed + (as_json(computed) if computed else "")).encode()).hexdigest()


def reopen(folder: Path, told: dict[str, Any]) -> Backbone:
    """The backbone inside a folder that headstart saved; the weights are hashed again, no other library is loaded.

    Args:
        folder: with model.safetensors (which may hold the head too) or model.onnx.
        told: what `describe_saved` wrote.

    Raises:
        ModelError: the weights are not those that were saved, or the tokenizer is not for them.
    """
    weights = folder / ("model.onnx" if told["source"] == "onnx" else "model.safetensors")
    if told["kind"] != "text":
        return verified(told, weights, tokenizer=None)
    tokenizer, vocabulary = text_of(folder / "tokenizer.json"), told["config"]["transformers"].get("vocab_size")
    refuse_strange_ids(tokenizer, vocabulary, folder / "tokenizer.json")
    return verified(told, weights, tokenizer=tokenizer)


def verified(told: dict[str, Any], weights: Path, *, tokenizer: str | None) -> Backbone:
    """The backbone that `describe_saved` described, its weights hashed again.

    Raises:
        ModelError: the weights are gone, or not those that were described.
    """
    told = description(told, weights)  # for pickles, which come by no other door
    if not is_there(weights):
        raise ModelError("the weights are gone", where=str(weights), fix="fit it again, or copy them there")
    tensors = {} if told["source"] == "onnx" else without_head(raw_tensors(weights), told["config"])
    if backbone_hash(weights, tensors, told["config"]) != told["weights_hash"]:
        raise ModelError("the weights are not those that were saved", where=str(weights), fix="save or copy it again")
    return rebuilt(told, weights, tokenizer=tokenizer)


def without_head(tensors: dict[str, RawTensor], config: dict[str, Any]) -> dict[str, RawTensor]:
    """The tensors that are not of the classifier (or classifiers) that `config` names."""
    named = config.get("classifier") or ()
    heads = tuple(f"{name}." for name in ([named] if isinstance(named, str) else named))
    return {k: t for k, t in tensors.items() if not heads or not k.startswith(heads)}


def describe_saved(backbone: Backbone) -> dict[str, Any]:
    """What `reopen` needs, as JSON has it; the tokenizer is in its own file."""
    preparation = {k: v for k, v in asdict(backbone.preparation).items() if k != "tokenizer"}
    told = {**{k: getattr(backbone, k) for k in _PLAIN}, "preparation": preparation}
    described: dict[str, Any] = parse_json(as_json(told))
    return described


def head_of(folder: Path, told: dict[str, Any]) -> Classifier:
    """The head that was saved in a folder, of which `saved_classifier` gave what is told.

    Raises:
        ModelError: its tensors are missing, do not fit the classes and the features, or were changed.
    """
    head = told["head"]
    file = folder / head["file"]
    found = classifier_in(file, told["classes"], told["backbone"]["width"], prefix=head["prefix"])
    if "hash" in head and head["hash"] != head_hash(found.weight, found.bias):
        raise ModelError("the head is not the one that was saved", where=str(file), fix="save or copy it again")
    return found


def head_hash(weight: np.ndarray, bias: np.ndarray) -> str:
    """sha256 over a head's numbers as float32; in every saved folder, so that a changed head is noticed."""
    return hashlib.sha256(weight.astype("<f4").tobytes() + bias.astype("<f4").tobytes()).hexdigest()


def classifier_in(file: Path, classes: Sequence[str], width: int, *, prefix: str = "") -> Classifier:
    """The head in a safetensors file: weight (classes, width) and bias (classes,).

    Raises:
        ModelError: as `head_of`.
    """
    import numpy as np  # not with the list of models

    tensors, wanted = raw_tensors(file), {"weight": [len(classes), width], "bias": [len(classes)]}
    arrays = []
    for part, shape in wanted.items():
        tensor = tensors.get(prefix + part)
        if tensor is None or tensor.dtype != "F32" or tensor.shape != shape:
            there = "is missing" if tensor is None else f"is {tensor.dtype} {tensor.shape}, not F32 {shape}"
            raise ModelError(
                f"damaged: the head's {prefix + part!r} {there}", where=str(file), fix="save or copy it again"
            )
        arrays.append(np.frombuffer(tensor.data, "<f4").reshape(shape))
    if not all(np.isfinite(array).all() for array in arrays):
        raise ModelError("damaged: its head has values that are no numbers", where=str(file))
    return Classifier(tuple(classes), arrays[0], arrays[1])
