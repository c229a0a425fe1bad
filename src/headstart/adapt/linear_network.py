"""A backbone (or the upper part of one) with the linear head of the probe on it, as one module that is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from headstart.adapt.basis import Basis
from headstart.backbone import Head


class Classified(nn.Module):
    """Features to logits by a head that starts as the probe.

    The head works on features that were centred and scaled as the probe's were, so one learning rate suits every
    backbone. Before the first step the logits are the probe's own (linear probing, then fine-tuning: Kumar et al.,
    Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution, 2022).
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, body: nn.Module, head: Head, basis: Basis) -> None:
        super().__init__()
        self.body = body
        mean, scale = basis.mean.astype(np.float64), basis.scale.astype(np.float64)
        self.register_buffer("mean", torch.from_numpy(mean).float())
        self.register_buffer("scale", torch.from_numpy(scale).float())
        self.unit = head.mean, head.deviation  # of the outputs: what is trained is of size 1 whatever it measures
        bias = head.bias + head.weight.astype(np.float64) @ mean
        self.weight = nn.Parameter(torch.from_numpy(head.weight * scale / head.deviation).float())
        self.bias = nn.Parameter(torch.from_numpy((bias - head.mean) / head.deviation).float())

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """-> (n, n_classes) float32; the head is not left to half precision."""
        features = self.body(*inputs)
        with torch.autocast(features.device.type, enabled=False):
            outputs = nn.functional.linear((features.float() - self.mean) / self.scale, self.weight, self.bias)
            mean, deviation = self.unit
            return outputs if self.unit == (0.0, 1.0) else mean + deviation * outputs

    def head(self, like: Head, *, features_key: str, temperature: float) -> Head:
        """The head on raw features, with scaling and temperature folded in."""
        scale = self.scale.double().cpu().numpy()
        mean, deviation = self.unit
        weight = deviation * self.weight.detach().double().cpu().numpy() / scale / temperature
        bias = (mean + deviation * self.bias.detach().double().cpu().numpy()) / temperature
        bias -= weight @ self.mean.double().cpu().numpy()
        return replace(
            like,
            weight=weight.astype(np.float32),
            bias=bias.astype(np.float32),
            features_key=features_key,
            temperature=temperature,
            cross_validation=(),
        )
