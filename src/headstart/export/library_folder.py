"""What exports to folders of timm and of transformers have in common."""

from __future__ import annotations

from pathlib import Path

from headstart.export.deployable import Deployable
from headstart.export.format import Quantise
from headstart.pretrained.source import SOURCES

LINK_IN_TORCH = {"softmax": ".softmax(1)", "logistic": ".sigmoid()", "identity": ""}  # behind logits


def write(made: Deployable, folder: Path, quantise: Quantise) -> None:
    """Write the model as a saved folder holds it."""
    from headstart.pretrained.torchvision_operators import declare_missing  # loads torch

    declare_missing()  # of this machine's torchvision, which predict.py imports
    SOURCES[made.backbone.source].write(made.backbone, made.head, folder)
