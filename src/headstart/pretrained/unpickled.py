"""Networks that came from another process: what libraries note of a model when it is made, noted here too."""

from __future__ import annotations

import copy
import sys

import torch
from torch import nn


def note(network: nn.Module) -> None:
    """Have an unpickled network work as where it was made.

    transformers notes by the class of a model which hidden states can be asked for; headstart gives it an attention of
    its own.
    """
    if "transformers" not in sys.modules:
        return
    from headstart.pretrained.attention import register

    from transformers import PreTrainedModel  # isort: skip  (needs what the other imports)

    register()
    configs = {type(module): module.config for module in network.modules() if isinstance(module, PreTrainedModel)}
    with torch.device("meta"):  # no memory
        for made, config in configs.items():
            made(copy.deepcopy(config))
