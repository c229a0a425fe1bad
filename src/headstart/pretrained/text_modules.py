"""Models of transformers as backbones: tensors of ids in, features out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class PooledEncoder(nn.Module):
    """Token states to one vector a text: the last layer, pooled as the model was trained, and a middle layer's mean.

    The last layer of a sentence encoder says what a text is about; word order and form are clearer two thirds of the
    way up (Liu et al. 2019, Linguistic Knowledge and Transferability of Contextual Representations). Both are there
    after one forward pass, and a linear head takes what it needs (docs/accuracy.md has what that brings).
    """

    def __init__(self, encoder: nn.Module, *, pooling: str, normalise: bool, layers: list[int]) -> None:
        super().__init__()
        self.encoder, self.pooling, self.normalise, self.layers = encoder, pooling, normalise, layers

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(n, t) int64 ids and mask -> (n, width) float32, the layers' vectors side by side."""
        out = self.encoder(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
        mask = attention_mask.unsqueeze(-1).to(out.last_hidden_state.dtype)  # (n, t, 1)

        def mean(states: torch.Tensor) -> torch.Tensor:
            return (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)

        def largest(states: torch.Tensor) -> torch.Tensor:
            return states.masked_fill(mask == 0, torch.finfo(states.dtype).min).amax(1)

        pool = {"mean": mean, "cls": lambda states: states[:, 0], "max": largest}[self.pooling]
        pooled = [pool(out.last_hidden_state)]
        pooled += [mean(out.hidden_states[layer]) for layer in self.layers[1:]]
        return torch.cat([nn.functional.normalize(p, dim=-1) if self.normalise else p for p in pooled], dim=-1)


class Logits(nn.Module):
    """A model with its classifier: its logits are the features, and the head on them changes nothing."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(n, t) int64 ids and mask -> (n, n_classes) float32."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


class Spans(nn.Module):
    """A reading model: for each token, is it the first of the answer, is it the last."""

    def __init__(self, model: nn.Module, *, inputs: Sequence[str]) -> None:
        super().__init__()
        self.model, self.inputs = model, tuple(inputs)

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        """(n, t) int64 each, in the order of `inputs` -> (n, t, 2) float32."""
        out = self.model(**dict(zip(self.inputs, tensors, strict=True)))
        return torch.stack([out.start_logits, out.end_logits], dim=-1)
