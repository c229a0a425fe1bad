"""Libraries that pre-trained weights come from: one row a source, with all that headstart has to know of it.

The functions import their library when they are called, so that a second fit loads none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.backbone import Backbone, Head
from headstart.pretrained.foreign_files import text_of
from headstart.pretrained.modules import as_it_is, by_products, layers, stages, trained_timm, trained_transformers
from headstart.pretrained.plain_code import image_code, onnx_code, static_code, text_code
from headstart.pretrained.text_folder import refuse_strange_ids
from headstart.pretrained.weights import file_sha256, raw_tensors, tensors_hash, without_head
from headstart.pretrained.write import write_onnx, write_static, write_timm, write_transformers

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Source:
    """Who builds a backbone from its weights."""

    name: str
    library: str  # whose version changes what is built
    called: str  # what such a model is, for people
    trainable: bool
    gpu: bool  # its modules are torch's, which can run them there
    weights: str  # name of the weights file in a saved folder
    hash: Callable[[Path, dict[str, Any]], str]  # (weights, configuration): sha256 of the weights without their head
    tokenizer: Callable[[Path, dict[str, Any]], str | None]  # (saved folder, configuration): what lies beside them
    module: Callable[[dict[str, Any], Path, bool], Any]  # (description, weights, whether the library itself said so)
    untrained: Callable[[dict[str, Any]], Any]  # (description): the same with the library's own random weights
    groups: Callable[[nn.Module], list[list[str]]]  # names of its parameters, from the input up
    prepare: Callable[[nn.Module], None]  # for training
    trained: Callable[[Backbone, nn.Module, Path], tuple[nn.Module, Backbone]]  # what is kept of a trained module
    write: Callable[[Backbone, Head, Path], dict[str, str]]  # a saved folder in the library's own form
    pipeline: Callable[[dict[str, Any]], str]  # (configuration): of transformers, that opens such a folder as it is
    snippet: Callable[..., str]  # (backbone, folder, ending, compare): Python that opens it without headstart
    map_layer: Callable[[Backbone, nn.Module], Any]  # where a photo model still knows places; None: nowhere


def _hash_of_tensors(weights: Path, config: dict[str, Any]) -> str:
    return tensors_hash(without_head(raw_tensors(weights), config))


def _hash_of_file(weights: Path, config: dict[str, Any]) -> str:
    return file_sha256(weights)


def _no_tokenizer(folder: Path, config: dict[str, Any]) -> None:
    return None


def _none(config: dict[str, Any]) -> str:
    return ""


def _tokenizer(folder: Path, config: dict[str, Any]) -> str:
    """Raises ModelError where it cannot be read, or has words that the model has no vectors for."""
    file = folder / "tokenizer.json"
    found = text_of(file)
    words = config["tokens"] if "tokens" in config else config["transformers"].get("vocab_size")
    refuse_strange_ids(found, words, file)
    return found


def _timm(described: dict[str, Any], weights: Path, proven: bool) -> Any:
    from headstart.pretrained import from_timm

    return from_timm.module(described, weights, proven=proven)


def _untrained_timm(described: dict[str, Any]) -> Any:
    from headstart.pretrained import from_timm

    return from_timm.untrained(described)


def _untrained_transformers(described: dict[str, Any]) -> Any:
    from headstart.pretrained import from_transformers

    return from_transformers.untrained(described)


def _transformers(described: dict[str, Any], weights: Path, proven: bool) -> Any:
    from headstart.pretrained import from_transformers

    return from_transformers.module(described, weights)


def _static(described: dict[str, Any], weights: Path, proven: bool) -> Any:
    from headstart.pretrained import from_static

    return from_static.module(described, weights)


def _onnx(described: dict[str, Any], weights: Path, proven: bool) -> Any:
    from headstart.pretrained import from_onnx

    return from_onnx.module(weights, described["width"])


def _timm_layer(backbone: Backbone, module: nn.Module) -> Any:
    from headstart.pretrained.map_layer import timm_layer

    return timm_layer(backbone, module)


def _nowhere(backbone: Backbone, module: nn.Module) -> None:
    return None


def _never(*arguments: object) -> Any:
    raise TypeError("its weights cannot be trained")


SOURCES = {
    row.name: row
    for row in (
        Source(
            name="timm",
            library="timm",
            called="a model of timm",
            trainable=True,
            gpu=True,
            weights="model.safetensors",
            hash=_hash_of_tensors,
            tokenizer=_no_tokenizer,
            module=_timm,
            untrained=_untrained_timm,
            groups=stages,
            prepare=as_it_is,
            trained=trained_timm,
            write=write_timm,
            pipeline=lambda config: "" if config.get("changes") else "image-classification",
            snippet=image_code,
            map_layer=_timm_layer,
        ),
        Source(
            name="transformers",
            library="transformers",
            called="a model of transformers",
            trainable=True,
            gpu=True,
            weights="model.safetensors",
            hash=_hash_of_tensors,
            tokenizer=_tokenizer,
            module=_transformers,
            untrained=_untrained_transformers,
            groups=layers,
            prepare=by_products,
            trained=trained_transformers,
            write=write_transformers,
            pipeline=_none,
            snippet=text_code,
            map_layer=_nowhere,
        ),
        Source(
            name="static",
            library="tokenizers",
            called="a table of vectors",
            trainable=False,
            gpu=True,
            weights="model.safetensors",
            hash=_hash_of_tensors,
            tokenizer=_tokenizer,
            module=_static,
            untrained=_never,
            groups=_never,
            prepare=_never,
            trained=_never,
            write=write_static,
            pipeline=_none,
            snippet=static_code,
            map_layer=_nowhere,
        ),
        Source(
            name="onnx",
            library="openvino",
            called="an ONNX model",
            trainable=False,
            gpu=False,
            weights="model.onnx",
            hash=_hash_of_file,
            tokenizer=_no_tokenizer,
            module=_onnx,
            untrained=_never,
            groups=_never,
            prepare=_never,
            trained=_never,
            write=write_onnx,
            pipeline=_none,
            snippet=onnx_code,
            map_layer=_nowhere,
        ),
    )
}
