"""Backbones and heads from their description, and the description of a backbone: no library of models is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.backbone import Backbone, ImagePreparation, Kind, TextPreparation
from headstart.errors import ModelError
from headstart.pretrained.description import description
from headstart.pretrained.opened import Classifier
from headstart.pretrained.source import SOURCES
from headstart.pretrained.weights import raw_tensors
from headstart.storage.files import is_there, parse_json
from headstart.storage.places import as_json

if TYPE_CHECKING:
    import numpy as np

_PLAIN = ("name", "source", "architecture", "kind", "width", "weights_hash", "config", "licence")
_PREPARATIONS: dict[Kind, Callable[..., ImagePreparation | TextPreparation]] = {
    "image": ImagePreparation,
    "text": TextPreparation,
}


def rebuilt(
    described: dict[str, Any], weights: Path, *, tokenizer: str | None = None, proven: bool = False
) -> Backbone:
    """From a description. Texts: the tokenizer is in it, or handed in.

    Args:
        proven: the library has said itself how the model is built.
    """
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in described["preparation"].items()}
    if tokenizer is not None:
        fields["tokenizer"] = tokenizer
    source = SOURCES[described["source"]]
    return Backbone(
        **{k: described[k] for k in _PLAIN},
        preparation=_PREPARATIONS[described["kind"]](**fields),
        weights=weights,
        module=partial(source.module, described, weights, proven),  # called only where an engine is compiled
        frozen_only=not source.trainable,
        precision=described.get("precision", "auto"),
    )


def backbone_hash(source: str, weights: Path, config: dict[str, Any]) -> str:
    """The weights without the head, and all that changes what they compute: what `Backbone.weights_hash` holds."""
    hashed = SOURCES[source].hash(weights, config)
    computed = {k: config[k] for k in ("pooling", "normalise", "layers", "head", "changes") if config.get(k)}
    return hashlib.sha256((hashed + (as_json(computed) if computed else "")).encode()).hexdigest()


def reopen(folder: Path, described: dict[str, Any]) -> Backbone:
    """The backbone inside a folder that headstart saved; the weights are hashed again, no other library is loaded.

    Args:
        folder: with model.safetensors (which may hold the head too) or model.onnx.
        described: what `describe_saved` wrote.

    Raises:
        ModelError: the weights are not those that were saved, or the tokenizer is not for them.
    """
    source = SOURCES[described["source"]]
    return verified(described, folder / source.weights, tokenizer=source.tokenizer(folder, described["config"]))


def verified(described: dict[str, Any], weights: Path, *, tokenizer: str | None) -> Backbone:
    """The backbone that `describe_saved` described, its weights hashed again.

    Raises:
        ModelError: the weights are gone, or not those that were described.
    """
    described = description(described, weights)  # for pickles, which come by no other door
    if not is_there(weights):
        raise ModelError("the weights are gone", where=str(weights), fix="fit it again, or copy them there")
    if backbone_hash(described["source"], weights, described["config"]) != described["weights_hash"]:
        raise ModelError("the weights are not those that were saved", where=str(weights), fix="save or copy it again")
    return rebuilt(described, weights, tokenizer=tokenizer)


def describe_saved(backbone: Backbone) -> dict[str, Any]:
    """What `reopen` needs, as JSON has it; the tokenizer is in its own file."""
    preparation = {k: v for k, v in backbone.preparation.told.items() if k != "tokenizer"}
    values = {**{k: getattr(backbone, k) for k in _PLAIN}, "preparation": preparation}
    asked = backbone.precision in ("float32", "bfloat16")  # a graph in int8 stays where it was calibrated
    values |= {"precision": backbone.precision} if asked else {}
    described: dict[str, Any] = parse_json(as_json(values))
    return described


def where_kept(backbone: Backbone) -> dict[str, Any]:
    """What a pickle holds of a backbone: its description, where the weights lie and their hash; not the weights."""
    tokenizer = getattr(backbone.preparation, "tokenizer", None)
    return {"backbone": describe_saved(backbone), "tokenizer": tokenizer, "weights": str(backbone.weights.resolve())}


def from_where_kept(kept: Mapping[str, Any]) -> Backbone:
    """The backbone of a pickle.

    Raises:
        ModelError: as `verified`.
    """
    return verified(kept["backbone"], Path(kept["weights"]), tokenizer=kept["tokenizer"])


def head_of(folder: Path, described: dict[str, Any]) -> Classifier:
    """The head that was saved in a folder, of which `saved_classifier` gave what is told.

    Raises:
        ModelError: its tensors are missing, do not fit the classes and the features, or were changed.
    """
    head = described["head"]
    file = folder / head["file"]
    width = head.get("times", 1) * described["backbone"]["width"]
    found = classifier_in(file, described["classes"], width, prefix=head["prefix"])
    said = {name: value for name, value in head.items() if name != "hash"}
    forms: tuple[dict[str, Any], ...] = (said, {})  # the second: of folders from before
    if "hash" in head and all(head["hash"] != head_hash(found.weight, found.bias, form) for form in forms):
        raise ModelError("the head is not the one that was saved", where=str(file), fix="save or copy it again")
    return found


def head_hash(weight: np.ndarray, bias: np.ndarray, said: Mapping[str, Any]) -> str:
    """sha256 over a head's numbers as float32, and over what headstart.json says of it: a changed head is noticed."""
    settings = json.dumps(said, sort_keys=True).encode() if said else b""
    return hashlib.sha256(weight.astype("<f4").tobytes() + bias.astype("<f4").tobytes() + settings).hexdigest()


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
