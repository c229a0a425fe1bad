"""Libraries that pre-trained weights come from: one row a source, with all that headstart has to know of it.

The functions import their library when they are called, so that a second fit loads none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.pretrained.plain_code import image_code, onnx_code, text_code
from headstart.pretrained.write import write_onnx, write_timm, write_transformers
from headstart.values import Backbone, Head

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Source:
    """Who builds a backbone from its weights."""

    name: str
    trainable: bool
    weights: str  # name of the weights file in a saved folder
    module: Callable[[dict[str, Any], Path, bool], Any]  # (description, weights, whether the library itself said so)
    groups: Callable[[nn.Module], list[list[str]]]  # names of its parameters, from the input up
    prepare: Callable[[nn.Module], None]  # for training
    trained: Callable[[Backbone, nn.Module, Path], tuple[nn.Module, Backbone]]  # what is kept of a trained module
    write: Callable[[Backbone, Head, Path], dict[str, str]]  # a saved folder in the library's own form
    snippet: Callable[[Backbone, str], str]  # Python that opens it without headstart


def _timm(told: dict[str, Any], weights: Path, proven: bool) -> Any:
    from headstart.pretrained import from_timm

    return from_timm.module(told, weights, proven=proven)


def _transformers(told: dict[str, Any], weights: Path, proven: bool) -> Any:
    from headstart.pretrained import from_transformers

    return from_transformers.module(told, weights)


def _onnx(told: dict[str, Any], weights: Path, proven: bool) -> Any:
    from headstart.pretrained import from_onnx

    return from_onnx.module(weights, told["width"])


def _stages(module: nn.Module) -> list[list[str]]:
    from headstart.pretrained.training import stages

    return stages(module)


def _layers(module: nn.Module) -> list[list[str]]:
    from headstart.pretrained.training import layers

    return layers(module)


def _trained_timm(backbone: Backbone, module: nn.Module, folder: Path) -> tuple[nn.Module, Backbone]:
    from headstart.pretrained.training import trained_timm

    return trained_timm(backbone, module, folder)


def _trained_transformers(backbone: Backbone, module: nn.Module, folder: Path) -> tuple[nn.Module, Backbone]:
    from headstart.pretrained.training import trained_transformers

    return trained_transformers(backbone, module, folder)


def _by_products(module: nn.Module) -> None:
    from headstart.pretrained.training import by_products

    by_products(module)


def _as_it_is(module: nn.Module) -> None:
    pass


def _never(*arguments: object) -> Any:
    raise TypeError("a graph's weights cannot be trained")


SOURCES = {
    source.name: source
    for source in (
        Source(
            name="timm",
            trainable=True,
            weights="model.safetensors",
            module=_timm,
            groups=_stages,
            prepare=_as_it_is,
            trained=_trained_timm,
            write=write_timm,
            snippet=image_code,
        ),
        Source(
            name="transformers",
            trainable=True,
            weights="model.safetensors",
            module=_transformers,
            groups=_layers,
            prepare=_by_products,
            trained=_trained_transformers,
            write=write_transformers,
            snippet=text_code,
        ),
        Source(
            name="onnx",
            trainable=False,
            weights="model.onnx",
            module=_onnx,
            groups=_never,
            prepare=_never,
            trained=_never,
            write=write_onnx,
            snippet=onnx_code,
        ),
    )
}
