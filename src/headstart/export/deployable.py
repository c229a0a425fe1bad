"""A model as it is exported: from raw input to what it answers, in parts that every format is made of.

A photo goes through the resize, the backbone and the tail, a text as token ids through the backbone and the tail. Only
decoding a photo, or cutting a text into tokens, is left to whoever runs the export.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headstart import __version__
from headstart.backbone import Backbone, Head
from headstart.encode.kinds import KINDS
from headstart.encode.long_texts import MOST_WINDOWS
from headstart.inputs.image import wanted_side
from headstart.inputs.modality import Modality
from headstart.inputs.tokens import CHARACTERS
from headstart.task import Task

if TYPE_CHECKING:
    import torch
    from torch import nn

LINKS = "softmax", "logistic", "identity"  # from a head's outputs to what is answered, that are exported


@dataclass(frozen=True)
class Deployable:
    """What is exported."""

    name: str  # what its user calls it
    task: Task
    modality: Modality
    backbone: Backbone
    head: Head  # a linear one

    @property
    def title(self) -> str:
        """The task as users call it: "text-classification"."""
        return self.task.titles[self.modality.name]

    @property
    def link(self) -> str:
        """From the head's outputs to what is answered: "softmax", "logistic" or "identity"."""
        return str(self.task.learner.family.link)

    @property
    def takes_photos(self) -> bool:
        """Whether its input is pixels; else it is token ids."""
        return "pixels" in self.inputs

    @property
    def apart(self) -> bool:
        """Whether an input is two texts that the backbone reads one by one."""
        return self.modality.of_two and not self.backbone.config.get("pair")

    @property
    def windows(self) -> int:
        """How many windows of a text are read, at most."""
        return MOST_WINDOWS if self.backbone.config.get("windows") else 1

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the graph takes: `pixels`, (n, h, w, 3) uint8 of any h and w; or `ids` and `mask`, (r, t) int64.

        A row of tokens is a text; two texts that are read one by one stand one after the other. Where texts are read in
        windows, the rows are those of one text.
        """
        return KINDS[self.backbone.kind].exported

    @property
    def output(self) -> str:
        """What the graph gives: `probabilities` or `values`, (n, n_outputs) float32."""
        return "values" if self.task.probabilities is None else "probabilities"

    @property
    def facts(self) -> dict[str, Any]:
        """What model.json says: what the outputs are, and how an input becomes what the graph takes."""
        head, more = self.head, self.head.more
        decided = "threshold" in more
        return {
            "name": self.name,
            "task": self.title,
            "model": self.backbone.name,
            "licence": self.backbone.licence,
            "outputs": self.output,
            "exclusive": self.link == "softmax",  # whether an input has one of the classes, not any number of them
            "classes": list(head.classes),
            "thresholds": None if head.thresholds is None else list(head.thresholds),
            # of two classes, the one that is answered from a probability on, which need not be a half
            "decision": {"class": head.classes[int(more["positive"])], "from": more["threshold"]} if decided else None,
            "interval": None if head.width is None else {"half_width": head.width, "holds": 0.9},
            "temperature": head.temperature,  # which the outputs are at
            **self._preparation(),
            "made_by": f"headstart {__version__}",
        }

    def _preparation(self) -> dict[str, Any]:
        if self.takes_photos:
            # A JPEG is decoded at a part of its size, as long as its shorter side has so many pixels.
            return {"images": {"draft": 2 * wanted_side(self.backbone.images)}, "texts": None}
        texts, pair = self.backbone.texts, None
        if self.modality.of_two:
            pair = "apart" if self.apart else "joined"
        read = {"max_length": texts.max_length, "most_characters": texts.max_length * CHARACTERS * self.windows}
        said = {"windows": self.windows, "prefix": texts.prefix, "pad_id": texts.pad_id, "pair": pair}
        return {"images": None, "texts": {**read, **said}}

    def resize(self) -> nn.Module:
        """From a photo's pixels to those that the backbone sees; raises UserError where it cuts them unusually."""
        from headstart.export.resize import Resize  # loads torch

        return Resize(self.backbone.images)

    def wrapped(self, module: nn.Module) -> nn.Module:
        """The backbone's module, or one in its place, as it takes what the resize gives, or token ids."""
        wrapped: nn.Module = KINDS[self.backbone.kind].wrapped(self.backbone, module)
        return wrapped

    def tail(self) -> nn.Module:
        """From features, and the mask of their tokens, to what is answered."""
        from headstart.export.tail import Tail  # loads torch

        return Tail(self.head, self.link, width=self.backbone.width, compare=self.apart, average=self.windows > 1)

    def core(self) -> nn.Module:
        """From what the backbone takes to what is answered. Raises TypeError where it is no module of torch's."""
        from torch import nn

        from headstart.export.tail import Core

        module = self.backbone.module()
        if not isinstance(module, nn.Module):
            raise TypeError(f"{self.backbone.name} is no module of torch's")
        return Core(self.wrapped(module), self.tail()).eval()

    def example(self) -> tuple[torch.Tensor, ...]:
        """What the backbone takes, two inputs of it: a graph that is traced with one takes no more ever after."""
        import torch

        if self.takes_photos:
            return (torch.zeros((2, *self.backbone.images.size, 3), dtype=torch.uint8),)
        shape = (4 if self.apart else 2, 8)
        return torch.full(shape, self.backbone.texts.pad_id), torch.ones(shape, dtype=torch.int64)

    def photos_example(self) -> tuple[torch.Tensor]:
        """What the resize takes, two photos of a size that no backbone has."""
        import torch

        return (torch.zeros((2, 30, 40, 3), dtype=torch.uint8),)
