"""A pre-trained model as a value: how it wants its examples, what makes it up, its features, and a head on them.

Nothing here imports anything of ours, so that every room may import it; numpy and torch come with the first array.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

Kind = Literal["image", "text"]  # of a backbone
CropMode = Literal["center", "squash", "border"]
Precision = Literal["auto", "float32", "bfloat16", "int8"]  # that features are made in
_ROWS = 4096  # of a matrix that are in memory at a time


class Matrix(Protocol):
    """(n, d) float32, gone through by slices of rows: an array, or rows on disk."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> np.ndarray: ...

    def __setitem__(self, rows: slice, values: np.ndarray, /) -> None: ...


@dataclass(frozen=True)
class ImagePreparation:
    """How the backbone wants its images; taken from its own configuration."""

    size: tuple[int, int]  # (height, width) in pixels
    crop: float  # share of each side that is kept when the centre is cut
    interpolation: str  # "bilinear", "bicubic", "lanczos" or "nearest"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    # What comes before the cut, in timm's words. "center": the shorter side is resized; "squash": both sides, whatever
    # that does to the shape; "border": the longer side, with a border of the mean colour along the other.
    crop_mode: CropMode = field(default="center", repr=False)  # repr is in keys

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, for keys."""
        return self.told

    @property
    def told(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


@dataclass(frozen=True)
class TextPreparation:
    """How the backbone wants its texts; `tokenizer` is the text of a tokenizer.json."""

    tokenizer: str = field(repr=False)
    max_length: int  # tokens, special ones included
    pad_id: int
    inputs: tuple[str, ...]  # names of the forward's arguments, in order: input_ids, attention_mask, ...
    most_padding: int | None = None  # tokens of padding that a text may have behind it in a batch; None: any number
    prefix: str = field(default="", repr=False)  # what stands before every text; repr is in keys

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, for keys; the tokenizer by its sha256."""
        return {**self.told, "tokenizer": _sha256(self.tokenizer)}

    @property
    def told(self) -> dict[str, Any]:
        """All of it but a prefix that says nothing, which folders and keys from before had no word for."""
        return {name: value for name, value in asdict(self).items() if name != "prefix" or value}


@dataclass(frozen=True)
class Backbone:
    """A pre-trained model without its head: a pure function from a prepared example to `width` numbers."""

    name: str
    source: str  # a row of `pretrained.source`: "timm", "transformers", "onnx", "static"
    architecture: str  # the source's own name of the architecture
    kind: Kind
    width: int
    preparation: ImagePreparation | TextPreparation
    weights_hash: str  # sha256 over names, shapes, types and bytes of the tensors, the head left out
    weights: Path  # safetensors file with the tensors under the source's own names, no head; or an ONNX file
    config: dict[str, Any]  # what the source needs to build the module again
    licence: str
    module: Callable[[], nn.Module] = field(repr=False, compare=False)  # builds it, in eval mode; loads torch
    frozen_only: bool = False  # a graph or a table, whose weights are not trained
    # Of its features: "float32" or "bfloat16", as the user asked; a graph in int8, by its name in keys; or "auto".
    precision: str = "auto"

    @cached_property
    def function(self) -> str:
        """sha256 of all that changes its features: equal for two descriptions of one model, whatever they call it."""
        told = [self.source, self.architecture, self.kind, self.width, self.weights_hash]
        return _sha256(json.dumps([*told, self.preparation.facts, _computing(self.config)], sort_keys=True))

    @property
    def most_tokens(self) -> int:
        """Tokens of a text that it has positions for."""
        return positions(self.config.get("transformers", {}))

    @property
    def texts(self) -> TextPreparation:
        """How it wants its texts; raises TypeError where it takes none."""
        if not isinstance(self.preparation, TextPreparation):
            raise TypeError(f"{self.name} does not read texts")
        return self.preparation

    @property
    def images(self) -> ImagePreparation:
        """How it wants its images; raises TypeError where it takes none."""
        if not isinstance(self.preparation, ImagePreparation):
            raise TypeError(f"{self.name} does not take images")
        return self.preparation


# What a backbone's configuration holds that its features do not depend on, or only through the preparation, the hash of
# the weights or the width, which are beside it: names, and what is written into a saved folder for other libraries.
_ONLY_SAID = {
    *("classifier", "norms", "pretrained_cfg", "tokenizer", "sidecar", "features"),
    *("_name_or_path", "transformers_version", "id2label", "label2id", "problem_type"),
}


def positions(told: Mapping[str, Any]) -> int:
    """Tokens that a model of this configuration has positions for; RoBERTa's kin count them from behind the padding."""
    count, padding = int(told.get("max_position_embeddings") or 512), int(told.get("pad_token_id") or 0)
    offset = told.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet")
    return count - padding - 1 if offset else count


def _computing(config: dict[str, Any]) -> dict[str, Any]:
    return {k: _computing(v) if k == "transformers" else v for k, v in config.items() if k not in _ONLY_SAID}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Features:
    """Encoded examples. `key` names the function that made them, so that a head can refuse others."""

    matrix: Matrix  # (n, width) float32
    key: str
    cached: int  # how many rows the store already knew
    rows: np.ndarray | None = None  # (n,) int64, ascending: which rows of the dataset they are of; None: all


@dataclass(frozen=True)
class Head:
    """A linear head on raw features: features @ weight.T + bias. Scaling and temperature are folded in."""

    classes: tuple[str, ...]  # names of the outputs
    weight: np.ndarray  # (n_outputs, width) float32
    bias: np.ndarray  # (n_outputs,) float32
    features_key: str
    penalty: float
    temperature: float
    cross_validation: tuple[dict[str, float], ...] = ()  # a row a penalty: penalty, log_loss, accuracy, cost
    class_weights: dict[str, float] | None = None  # None: all classes counted alike
    thresholds: tuple[float, ...] | None = None  # probabilities from which labels are given; None: one class is
    width: float | None = None  # half the width of an interval that holds nine of ten values; None: not of numbers
    mean: float = 0.0  # of the training targets, where they are numbers
    deviation: float = 1.0
    more: Mapping[str, Any] = field(default_factory=dict)  # numbers, or tuples of them, that only its task knows

    def cooled(self, t: float) -> Head:
        """The head whose outputs are divided by t, which is folded into its temperature."""
        import numpy as np

        by = np.float32(t)
        return replace(self, weight=self.weight / by, bias=self.bias / by, temperature=self.temperature * t)

    def logits(self, features: Matrix) -> np.ndarray:
        """(n, width) -> (n, n_classes) float32."""
        import numpy as np

        out = np.empty((len(features), len(self.classes)), dtype=np.float32)
        for start in range(0, len(features), _ROWS):
            out[start : start + _ROWS] = features[start : start + _ROWS] @ self.weight.T + self.bias
        return out
