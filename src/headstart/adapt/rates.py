"""Where the search for a learning rate begins, and how deep training goes: wider models want smaller steps."""

from __future__ import annotations

from collections.abc import Callable

from headstart.adapt.policy import TUNING
from headstart.backbone import Backbone, Kind
from headstart.values import Method

_WIDTHS = ("hidden_size", "dim", "d_model", "emb_dim", "n_embd")


def rate(backbone: Backbone, *, how: Method) -> float:
    """The learning rate that the search begins with."""
    return float(_STARTS[backbone.kind](backbone) * (TUNING.lora_rate if how == "lora" else 1))


def _of_images(backbone: Backbone) -> float:
    return TUNING.image_rate


def _of_texts(backbone: Backbone) -> float:
    return float(TUNING.text_rate * (TUNING.text_width / _hidden(backbone)) ** 1.5)


def _hidden(backbone: Backbone) -> int:
    """The width of its layers, which every family of models has another name for."""
    told = backbone.config["transformers"]
    return int(next((told[name] for name in _WIDTHS if told.get(name)), TUNING.text_width))


_STARTS: dict[Kind, Callable[[Backbone], float]] = {"image": _of_images, "text": _of_texts}
