"""The contract of an export format: how it is written, and the Python that runs it where headstart is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.export.deployable import Deployable

# A format's graph, from what the backbone takes to what is answered -> the same, or in int8 where that was asked for
Quantise = Callable[[Any], Any]


@dataclass(frozen=True)
class Runtime:
    """The part of predict.py that knows the format. `here` is its folder, `about` what model.json says."""

    imports: tuple[str, ...]  # lines
    code: str  # defines run(given): arrays by the names of `Deployable.inputs` -> (n, n_outputs)
    packages: tuple[str, ...]  # to install, beside numpy, and Pillow or tokenizers
    read: str | None = None  # defines read(input), what `run` takes; None: pixels, or ids and mask


@dataclass(frozen=True)
class Format:
    """A format that models are exported to."""

    name: str  # as `--format` takes it: "openvino"
    title: str  # "OpenVINO IR"
    runtime: Callable[[Deployable], Runtime]
    write: Callable[[Deployable, Path, Quantise], None]  # into a folder that is there
    refuse: Callable[[Deployable], str | None] = lambda made: None  # why this model cannot be exported; None: it can
    needs: tuple[str, ...] = ()  # modules that headstart's extra `export` brings
    quantises: bool = False  # whether its graph can be made int8
