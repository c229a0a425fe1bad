"""What stands behind a backbone, as modules of torch that every format is traced from."""

from __future__ import annotations

import torch
from torch import nn

from headstart.backbone import Head


class Tail(nn.Module):
    """The head with its temperature, and its link; before them, what makes one row of features of several.

    Args:
        link: "softmax", "logistic" or "identity".
        width: of the backbone's features.
        compare: whether the rows are texts of pairs, the two of each one after the other.
        average: whether the rows are the windows of one text.
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, head: Head, link: str, *, width: int, compare: bool, average: bool) -> None:
        super().__init__()
        self.register_buffer("weight", torch.from_numpy(head.weight.astype("float32")))
        self.register_buffer("bias", torch.from_numpy(head.bias.astype("float32")))
        self.link, self.width, self.compare, self.average = link, width, compare, average

    def forward(self, features: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(r, width) features, and the (r, t) mask of their tokens -> (n, n_outputs) probabilities or numbers.

        The mask is looked at for averages alone.
        """
        features = features.reshape(-1, self.width)
        if self.average and mask is not None:
            tokens = mask.sum(1, keepdim=True).to(features.dtype)
            features = (features * tokens).sum(0, keepdim=True) / tokens.sum()
        if self.compare:  # as `encode.pairs.compare`
            u, v = features.reshape(-1, 2, self.width).unbind(1)
            features = torch.cat([u / 4, v / 4, (u - v).abs(), u * v], 1)
        outputs = features @ self.weight.T + self.bias
        if self.link == "softmax":
            return outputs.softmax(1)
        return outputs.sigmoid() if self.link == "logistic" else outputs


class Core(nn.Module):
    """A backbone with the tail behind it."""

    def __init__(self, backbone: nn.Module, tail: nn.Module) -> None:
        super().__init__()
        self.backbone, self.tail = backbone, tail

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """What the backbone takes -> (n, n_outputs)."""
        result: torch.Tensor = self.tail(self.backbone(*inputs), inputs[-1])
        return result
