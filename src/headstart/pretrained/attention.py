"""Attention for training on a CPU: by plain matrix products, where torch's fused kernel takes longer.

The fused kernel saves memory, which only long texts need, and is the faster one in float32. In half precision its
backward pass takes two to five times as long as plain products do for texts of 16 to 128 tokens (`bench/attention.py`).
It drops nothing out either; with dropout torch falls back to slower code of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from headstart.pretrained.torchvision_operators import declare_missing

declare_missing()
from transformers import AttentionInterface, AttentionMaskInterface  # noqa: E402  (imports torchvision)
from transformers.integrations.sdpa_attention import sdpa_attention_forward  # noqa: E402
from transformers.masking_utils import sdpa_mask  # noqa: E402

NAME = "headstart"
_SHORT = 128  # tokens
_FURTHER = ("position_bias", "softcap", "s_aux")  # what some models add to attention; left to transformers


def train_by_products(model: Any) -> None:
    """From now on, a model that uses torch's fused attention uses what is faster for each batch. Others stay."""
    if getattr(model.config, "_attn_implementation", None) == "sdpa":
        register()
        model.set_attn_implementation(NAME)


def register() -> None:
    """Let models have it, also such as come from another process where they have it already."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **further: Any,
) -> tuple[torch.Tensor, None]:
    """(n, heads, t, width) each, mask (n, 1, t, t), true where there is attention -> (n, t, heads, width)."""
    causal = attention_mask is None and (getattr(module, "is_causal", True) if is_causal is None else is_causal)
    special = causal or query.shape[1] != key.shape[1] or any(further.get(name) is not None for name in _FURTHER)
    fused = not dropout and (query.dtype is torch.float32 or key.shape[2] > _SHORT)
    if special or fused or query.device.type != "cpu":
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling=scaling, is_causal=is_causal, **further
        )
    return products(query, key, value, attention_mask, dropout=dropout, scaling=scaling), None


def products(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
) -> torch.Tensor:
    """The attention of `attend`, at any length and in any precision."""
    scores = query * (query.shape[-1] ** -0.5 if scaling is None else scaling) @ key.transpose(2, 3)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    shares = nn.functional.dropout(scores.softmax(-1), dropout)
    return (shares.to(value.dtype) @ value).transpose(1, 2).contiguous()
