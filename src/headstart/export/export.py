"""An export: written, run beside headstart, and only then given its name."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.data.learned import MadeOf
from headstart.encode.int8 import MISSING
from headstart.errors import UserError, plain
from headstart.export import int8, program
from headstart.export.deployable import LINKS, Deployable
from headstart.export.format import Format, Quantise
from headstart.export.proof import Proof, answered, compared, refuse_apart
from headstart.export.samples import Labelled, given_data, given_inputs, labelled_for, samples_of
from headstart.storage.place import reserve_place, write_text
from headstart.storage.places import as_json
from headstart.values import Columns, Dataset

if TYPE_CHECKING:
    from headstart.model import Model

INT8 = "int8"


@dataclass(frozen=True)
class Exported:
    """A folder that was exported, and how it was proved."""

    folder: Path
    format: str
    files: tuple[str, ...]
    proof: Proof
    cost: int8.Cost | None = None  # of int8; None: it is in float32

    def to_json(self) -> dict[str, Any]:
        """What `export --json` prints."""
        result = {"folder": str(self.folder), "format": self.format, "files": list(self.files)}
        return {**result, "proof": asdict(self.proof), **({} if self.cost is None else self.cost.to_json())}


@dataclass(frozen=True)
class Wanted:
    """How a model is to be exported."""

    format: Format
    quantize: str | None = None  # "int8"; None: float32
    most_lost: float = int8.MOST_LOST  # that int8 may lose of the task's first metric
    data: Any = None  # labelled, to calibrate and compare on; None: what is at hand
    columns: Columns | None = None  # of these
    name: str | None = None  # that its page has; None: the folder's


def export(model: Model, folder: Path, wanted: Wanted, *, given: Dataset | None, made_of: MadeOf | None) -> Exported:
    """As `Model.export`.

    Args:
        given: checked inputs to compare outputs on, beside those of `wanted.data`; None: those that are at hand.
        made_of: what the model was made of, while it is in memory.
    """
    made = Deployable(plain(wanted.name or _name(model)), model.task, model.modality, model.backbone, model.head)
    _refuse(made, wanted)
    with reserve_place(folder, force=None) as place:
        if place is None:
            raise TypeError("an export has a folder")
        labelled, named = _named(model, wanted, given, made_of)
        samples = samples_of(model, named, made_of)

        def make(new: Path) -> Exported:
            _write(made, wanted, labelled, new)
            answers = answered(made, new, samples)
            cost = None
            if labelled is None:
                refuse_apart(made, answers, samples)
            else:
                reference = None if model.scores is None else model.scores.details
                n = len(labelled.held_out)
                cost = int8.cost_of(made, labelled.held_out, answers.first(n), reference)
                int8.refuse_loss(made, cost, wanted.most_lost)
            proof = compared(made, answers)
            write_text(new / "README.md", _readme(made, wanted, proof, cost))
            files = tuple(sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()))
            return Exported(folder, wanted.format.name, files, proof, cost)

        return place.write_new(make)


def _named(
    model: Model, wanted: Wanted, given: Dataset | None, made_of: MadeOf | None
) -> tuple[Labelled | None, list[Dataset]]:
    """What int8 is made with, where it is wanted; and what the user names to compare on, after what int8 is measured
    on: each input is then run once."""
    labelled, named = None, []
    if wanted.quantize is not None:
        labelled = labelled_for(model, wanted.data, wanted.columns, made_of)
        int8.refuse_few(labelled)
        named.append(labelled.held_out)
    elif wanted.data is not None:
        named.append(given_data(model, wanted.data, wanted.columns))
    if given is not None:
        named.append(given_inputs(given))
    return labelled, named


def _name(model: Model) -> str:
    return model.backbone.name if model.folder is None else model.folder.name.removesuffix(".headstart")


def _refuse(made: Deployable, wanted: Wanted) -> None:
    """Raises UserError where the model cannot be exported so."""
    format, why = wanted.format, None
    if made.task.learner.family is None:
        why = f"a model for {made.task.name} is more than a backbone with a linear head"
    elif made.link not in LINKS:
        why = f"its outputs are made by {made.link}, which no export knows"
    else:
        why = format.refuse(made)
    if why is not None:
        raise UserError(f"not exported to {format.title}: {why}", fix="headstart serves it as it is: headstart serve")
    if wanted.quantize not in (None, INT8):
        raise UserError(f"nothing is made {wanted.quantize}", where="--quantize", fix=f"--quantize {INT8}")
    if wanted.quantize is not None and not format.quantises:
        raise UserError(f"{format.title} has no int8", where="--quantize", fix="--format openvino, or onnx")
    if not 0 <= wanted.most_lost <= 1:
        raise UserError(
            f"{wanted.most_lost:g} is no share", where="--most-lost", fix=f"{int8.MOST_LOST:g} is half a point"
        )
    if wanted.quantize is not None and find_spec("nncf") is None:
        raise UserError(MISSING, where="--quantize", fix="pip install 'headstart[export]'")
    lacking = [name for name in format.needs if find_spec(name) is None]
    if lacking:
        raise UserError(f"{format.title} needs {lacking[0]}", fix="pip install 'headstart[export]'")


def _write(made: Deployable, wanted: Wanted, labelled: Labelled | None, folder: Path) -> None:
    """The files of the format, what they mean, and predict.py; the tokenizer in the form of its own library."""
    quantise: Quantise = _as_it_is
    if labelled is not None:
        quantise = int8.quantiser(made, labelled.learned)
    wanted.format.write(made, folder, quantise)
    write_text(folder / "model.json", as_json(made.facts))
    if not made.takes_photos:
        write_text(folder / "tokenizer.json", made.backbone.texts.tokenizer)
    write_text(folder / program.NAME, program.program(made, wanted.format.runtime(made)))


def _as_it_is(graph: Any) -> Any:
    return graph


def _readme(made: Deployable, wanted: Wanted, proof: Proof, cost: int8.Cost | None) -> str:
    packages = " ".join(program.packages(made, wanted.format.runtime(made)))
    usage = program.usage(made)
    return program.rendered(
        "README.md.jinja", made=made, format=wanted.format, packages=packages, usage=usage, proof=proof, cost=cost
    )
