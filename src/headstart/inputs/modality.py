"""The contract of a modality: all that headstart has to know of what an input is, as one frozen object of functions.

The modalities themselves are in `headstart.tasks.modalities`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headstart.backbone import Backbone, Features, Kind
from headstart.values import Caution, Dataset, Finding

if TYPE_CHECKING:
    import numpy as np

    from headstart.storage.rows_of_bytes import RowsOfBytes


@dataclass(frozen=True)
class Inspected:
    """Examples that were looked at one by one."""

    rows: np.ndarray  # (n,) int64, ascending: those that can be read
    digests: np.ndarray  # (n, 32) uint8; sha256 of each one's own bytes
    hashes: RowsOfBytes  # (n, k), equal or near for examples that are nearly the same
    findings: Sequence[Finding] = ()  # the others, and what is odd about these
    notes: Sequence[str] = ()  # what was guessed of them


@dataclass(frozen=True)
class Fact:
    """Something that is known of each example beside what it shows or says: how large its file is, which camera."""

    name: str  # "file-size"
    values: np.ndarray  # (n,) float64, nan where it is not known; or of str, "" where it is not known
    says: Callable[[float], str] = "{:,.0f}".format  # a number in words


@dataclass(frozen=True)
class Facts:
    """What is known of examples beside their content, and what is odd about it."""

    columns: tuple[Fact, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remarks:
    """What a model does not take of its inputs."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()

    def tell(self, note: Callable[[str], None]) -> None:
        """Say what is worth a word of inputs that are only asked about."""
        for said in (*self.notes, *(caution.text for caution in self.cautions)):
            note(said)


def _takes_all(dataset: Dataset, rows: np.ndarray, backbone: Backbone) -> Remarks:
    return Remarks()


def _nothing_shown(dataset: Dataset, rows: np.ndarray) -> list[str | bytes]:
    return [""] * len(rows)


def _as_they_are(inputs: Sequence[Any], backbone: Backbone) -> Sequence[Any]:
    return inputs


@dataclass(frozen=True)
class Modality:
    """What an input is, and everything that follows from that."""

    name: str
    kind: Kind  # of backbones that take it
    noun: str  # for people, in the singular: "photo"
    sample: str  # an input in a snippet of Python, as it stands there
    default_model: str
    of_two: bool  # whether an input is two texts
    in_tables: bool  # whether tables hold the inputs themselves, not where they lie
    inspect: Callable[..., Inspected]  # (dataset, rows, known, workers, advance)
    near: Callable[[Any], np.ndarray]  # (n, k) hashes -> (m, 2) rows that are nearly the same
    sketch: Callable[[Any], np.ndarray]  # (n, k) hashes -> (n, l) uint8; what a saved model keeps of them
    near_to_any: Callable[[np.ndarray, np.ndarray], np.ndarray]  # (n, l), (m, l) sketches -> (n,) bool
    groups: Callable[[Dataset, np.ndarray], tuple[np.ndarray, Sequence[Finding]]]  # with pieces of one text together
    known: Callable[[], Any]  # what the store knows of inspected examples
    given: Callable[[Any], tuple[Sequence[Any], list[str]]]  # what `predict` is given -> inputs, and their names
    encode: Callable[..., Features]  # (dataset, rows, backbone, by=, advance=)
    look_alikes: bool  # whether features tell examples of the same thing that no hash does: crops, frames
    trains_beyond: bool  # whether fine-tuning may learn from examples that were not encoded
    # Of the budget, for encoding. What may be learned from unencoded costs training more than it gives the probe; of
    # the others, then about twice as many are encoded as there is time to train on.
    encoding_share: float
    per_second: float  # examples encoded, where nothing was measured
    made_up: Callable[[], Sequence[Any]]  # inputs that a model can be run on where there are none of the user's
    odd: Callable[[Sequence[Any]], Sequence[Any]]  # some of them (at least one) in other forms that they come in
    trainable: Callable[..., Any]  # what fine-tuning is given of the inputs; loads torch
    # (a few inputs that are asked about, backbone): as the backbone takes them, so that none is decoded twice
    ready: Callable[[Sequence[Any], Backbone], Sequence[Any]] = _as_they_are
    # how the features of two texts are put side by side: (n, d) of the one and (n, d) of the other; None: one an input
    compare: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    # (dataset) -> (n, 2) equal numbers are texts that inputs have in common; None: inputs are not of texts side by side
    texts: Callable[[Dataset], np.ndarray] | None = None
    # (dataset, rows, backbone, how many): (n, v, d) features of other views of each; None: there are none
    views: Callable[[Dataset, np.ndarray, Backbone, int], np.ndarray] | None = None
    reads_names: bool = False  # whether the name of a class is such an input, too, and says what its examples say
    windows: bool = False  # whether long inputs may be read in windows whose features are averaged
    # (dataset, what the store knows): of checked examples, without a model
    facts: Callable[[Dataset, Any], Facts] = lambda dataset, known: Facts()
    # (dataset, rows, backbone): what the model does not take of them
    remarks: Callable[[Dataset, np.ndarray, Backbone], Remarks] = _takes_all
    # (backbone): what is asked why a model answers as it does, see `headstart.explain`; loads torch. None: nobody is
    explainer: Callable[[Backbone], Any] | None = None
    # (checked dataset, rows): what a page shows of each, a text or a small JPEG; "" is nothing
    shown: Callable[[Dataset, np.ndarray], list[str | bytes]] = _nothing_shown
    most_shown: int = 2000  # examples on a page
