"""Where the search for a learning rate begins, and how deep training goes: wider models want smaller steps."""

from __future__ import annotations

from collections.abc import Callable

from headstart.backbone import Backbone, Kind
from headstart.values import Method

_TEXT_RATE, _TEXT_WIDTH = 2e-4, 384  # MiniLM's (docs/tuning.md)
_WIDTHS = ("hidden_size", "dim", "d_model", "emb_dim", "n_embd")
_IMAGE_RATE = 1e-4
_LORA = 10.0  # times the rate of the weights themselves: Schulman et al., LoRA Without Regret, 2025; docs/lora.md


def rate(backbone: Backbone, *, how: Method) -> float:
    """The learning rate that the search begins with."""
    return float(_STARTS[backbone.kind](backbone) * (_LORA if how == "lora" else 1))


def _of_images(backbone: Backbone) -> float:
    return _IMAGE_RATE


def _of_texts(backbone: Backbone) -> float:
    return float(_TEXT_RATE * (_TEXT_WIDTH / _hidden(backbone)) ** 1.5)


def _hidden(backbone: Backbone) -> int:
    """The width of its layers, which every family of models has another name for."""
    told = backbone.config["transformers"]
    return int(next((told[name] for name in _WIDTHS if told.get(name)), _TEXT_WIDTH))


_STARTS: dict[Kind, Callable[[Backbone], float]] = {"image": _of_images, "text": _of_texts}
