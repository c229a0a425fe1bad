"""What tasks with a linear head on frozen or tuned features have in common: asking, saving and opening them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from headstart.adapt.cross_validation import judge, judge_constant
from headstart.adapt.family import Family
from headstart.adapt.linear_lesson import linear_lesson
from headstart.backbone import Backbone, Features, Head
from headstart.encode.encode import encode_rows, features_key, of_rows, renewed_key
from headstart.encode.machine import algebra_of
from headstart.encode.pairs import PARTS
from headstart.errors import DataError, ModelError
from headstart.inputs.modality import Modality
from headstart.pretrained.description import FILE, class_hash, saved_classifier
from headstart.pretrained.load import load, load_classifier
from headstart.pretrained.rebuild import head_hash, head_of
from headstart.pretrained.schema import COUNT, NAME, figure, listing, mapping, number
from headstart.pretrained.source import SOURCES
from headstart.storage.columns import Coded, in_blocks
from headstart.task import Advance, Keeper, Learner, Sureness
from headstart.values import Dataset, Examples

FACTS = {  # of every linear head, as a saved folder says them
    "penalty": number(low=0),
    "cross_validation": listing(mapping(figure, most=100), most=10_000),
}
NAMED_FACTS = {**FACTS, "classes": listing(NAME, least=1, most=1_000_000), "temperature": number(above=0)}
TRAIN_COUNTS = {"train_counts": mapping(COUNT, most=1_000_000)}  # by class or label; folders from before have none
FIGURES = {
    "name": NAME,
    **dict.fromkeys(("precision", "recall", "f1"), number()),
    "count": COUNT,
}  # of a class or label
_OF_A_TASK = ("thresholds", "width", "mean", "deviation")  # what heads of some tasks have, and others may not
P = TypeVar("P")  # a prediction
T = TypeVar("T")  # a target


@dataclass(frozen=True)
class LinearPredictor:
    """A backbone with a linear head: outputs are logits, (n, n_outputs) float32."""

    backbone: Backbone
    head: Head

    def outputs(
        self,
        dataset: Dataset,
        rows: np.ndarray,
        *,
        known: Features | None = None,
        keep: bool = True,
        advance: Advance,
    ) -> np.ndarray:
        """As `Predictor.outputs`.

        Raises:
            ModelError: the head was fitted on features of another backbone.
            DataError: it was fitted on inputs of another modality.
        """
        if not len(rows):
            return self.head.logits(np.empty((0, self.head.weight.shape[1]), np.float32))
        if known is None or _function(known.key) != _function(self.head.features_key):
            known = encode_rows(dataset, rows, self.backbone, keep=keep, advance=advance)
        refuse_other(known.key or self.head.features_key, self.head)
        if known.matrix.shape[1] != self.head.weight.shape[1]:
            other = "texts" if dataset.modality.of_two else "pairs"
            what = f"these are {dataset.modality.noun}s, and the model was fitted on {other}"
            raise DataError(what, where=dataset.name, fix="give inputs as they were for the fit")
        with algebra_of(len(rows)):
            return self.head.logits(of_rows(known, rows).matrix)


def refuse_other(key: str, head: Head, where: Path | str = "") -> None:
    """Raises ModelError where features are not those that a head was fitted on.

    Precision may differ between machines (bf16 here, float32 there): close, by measurement, so not refused.
    """
    if _function(key) != _function(head.features_key):
        raise ModelError("the head was fitted on features of another backbone", where=str(where))


def _function(key: str) -> str:
    """What a key says of features but for their precision."""
    return key.rsplit(" ", 1)[0]


def _refuse_other_inputs(width: int, backbone: Backbone, modality: Modality, folder: Path) -> None:
    """Raises ModelError where a head of this width on a backbone is not for single inputs, or for pairs, as is said."""
    joint = bool(backbone.config.get("pair"))
    if modality.of_two == (joint or width > backbone.width):
        if width == backbone.width * (PARTS if modality.of_two and not joint else 1):
            return
        raise ModelError(
            "saved by a version that compared the texts of a pair otherwise", where=str(folder), fix="fit it again"
        )
    what = f"damaged: its head is {'not ' if modality.of_two else ''}for pairs of texts, and its task is for "
    raise ModelError(f"{what}{modality.noun}s", where=str(folder), fix="save or copy it again")


def write(backbone: Backbone, head: Head, folder: Path) -> dict[str, Any]:
    """Backbone and head, as the library that the backbone comes from keeps such models."""
    where, times = SOURCES[backbone.source].write(backbone, head, folder), head.weight.shape[1] // backbone.width
    said = {
        **where,
        "features_key": head.features_key,
        "penalty": head.penalty,
        "temperature": head.temperature,
        **({} if times == 1 else {"times": times}),
        **_beyond_classes(head),
    }
    return {
        "classes": list(head.classes),
        "classes_hash": class_hash(head.classes),
        "head": {"hash": head_hash(head.weight, head.bias, said), **said},
    }


def _beyond_classes(head: Head) -> dict[str, Any]:
    """What only heads of other tasks than classification have."""
    numbers: dict[str, Any] = (
        {} if head.width is None else {"width": head.width, "mean": head.mean, "deviation": head.deviation}
    )
    numbers |= {} if head.thresholds is None else {"thresholds": list(head.thresholds)}
    return numbers | ({"more": dict(head.more)} if head.more else {})


def opened(folder: Path, saved: Mapping[str, Any], backbone: Backbone, modality: Modality) -> Head:
    """The head that was saved in a folder.

    Raises:
        ModelError: it was changed, or is for another backbone or modality.
    """
    own, values = head_of(folder, dict(saved)), saved["head"]
    _refuse_other_inputs(own.weight.shape[1], backbone, modality, folder)
    thresholds = values.get("thresholds")
    if thresholds is not None and len(thresholds) != len(own.classes):
        what = f"damaged: {len(thresholds)} thresholds for {len(own.classes)} labels"
        raise ModelError(what, where=str(folder), fix="save or copy it again")
    head = Head(
        classes=own.classes,
        weight=own.weight,
        bias=own.bias,
        features_key=renewed_key(values["features_key"], backbone),
        penalty=values["penalty"],
        temperature=values["temperature"],
        thresholds=None if thresholds is None else tuple(thresholds),
        width=values.get("width"),
        mean=values.get("mean", 0.0),
        deviation=values.get("deviation", 1.0),
        more={name: tuple(v) if isinstance(v, list) else v for name, v in values.get("more", {}).items()},
    )
    refuse_other(features_key(backbone, "f32"), head, folder)
    return head


def as_it_is(name: str) -> tuple[Backbone, Head]:
    """A pre-trained model with its own classes, before anybody adapts it (ImageNet's 1000, say).

    Raises:
        ModelError: nothing of that name, or it has no classes.
    """
    backbone, own = load_classifier(name)
    key = features_key(backbone, "f32")
    return backbone, Head(own.classes, own.weight, own.bias, key, penalty=0.0, temperature=1.0)


def same(one: Head, other: Head) -> bool:
    """Whether an opened head is the one that was written."""
    said = [(h.classes, h.features_key, h.thresholds, h.width, h.mean, h.deviation, h.more) for h in (one, other)]
    return said[0] == said[1]


def split_columns(dataset: Dataset, part: Sequence[str]) -> tuple[Sequence[str], Sequence[Any]]:
    """Header and columns of split.csv."""
    groups, targets = dataset.checked_groups.tolist(), [_written(target) for target in dataset.targets]
    return ("example", "label", "part", "group"), (dataset.where, targets, part, groups)


def _written(target: Any) -> str:
    """A target as one cell of a table; several labels as JSON."""
    if isinstance(target, tuple):
        return json.dumps(list(target), ensure_ascii=False)
    return target if isinstance(target, str) else f"{target:.10g}"


def keeper(
    *,
    unnamed: bool = False,
    needs: Sequence[str] = (),
    refuse: Callable[[Head, Path], None] = lambda head, folder: None,
) -> Keeper:
    """How models with a linear head are kept.

    Args:
        unnamed: whether a folder that names no task is of this one.
        needs: what headstart.json has to say of a head of this task, beyond what it says of all.
        refuse: (head, folder): raises ModelError where `Head.more` is not as this task keeps it.
    """

    def complete(folder: Path, saved: Mapping[str, Any], backbone: Backbone, modality: Modality) -> Head:
        wrong = [f"{name} is missing" for name in needs if name not in saved["head"]]
        wrong += [f"{name} is of another task" for name in _OF_A_TASK if name in saved["head"] and name not in needs]
        if wrong:
            raise ModelError(f"damaged: head.{wrong[0]}", where=str(folder / FILE), fix="save or copy it again")
        head = opened(folder, saved, backbone, modality)
        refuse(head, folder)
        return head

    def claims(saved: Mapping[str, Any]) -> bool:
        return unnamed and ("head" in saved or "classes" in saved)

    return Keeper(
        claims=claims,
        checked=saved_classifier,
        write=write,
        opened=complete,
        as_it_is=as_it_is,
        same=same,
        equal=np.array_equal,
        split_columns=split_columns,
    )


def learner(
    family: Family,
    *,
    loss: tuple[str, ...] = ("log_loss",),
    decided: Callable[[Dataset, Any], Any] | None = None,
    from_names: Callable[..., Any] | None = None,
) -> Learner:
    """How a linear head of this family is learned: the probe on frozen features, then fine-tuning that starts there."""
    return Learner(
        load=load,
        encodes=True,
        family=family,
        judge=judge,
        judge_constant=judge_constant,
        lesson=linear_lesson,
        loss=loss,
        decided=decided,
        from_names=from_names,
    )


def predictions(
    outputs: Iterable[Any],
    names: Sequence[str],
    errors: Mapping[int, str],
    *,
    one: Callable[[str, Any], P],
    failed: Callable[[str, str], P],
) -> list[P]:
    """A prediction for each input, in the order given.

    Args:
        outputs: a row for each input that could be used. names: of all inputs. errors: why one could not, by its place.
        one: (name, its row of outputs) -> the prediction. failed: (name, why) -> the prediction.
    """
    rows = iter(outputs)
    return [failed(name, errors[i]) if i in errors else one(name, next(rows)) for i, name in enumerate(names)]


def assured(prediction: P, sureness: Sureness) -> P:
    """A prediction with fields for how sure it is, with what is known of that."""
    made: P = replace(  # type: ignore[type-var]
        prediction,
        unsure=sureness.unsure,
        set=sureness.set,
        out_of_scope=sureness.out_of_scope,
        scope_score=sureness.scope_score,
    )
    return made


def sureness_row(p: Any) -> dict[str, Any]:
    """What JSON says of how sure such a prediction is."""
    covered = {} if p.set is None else {"set": list(p.set)}
    return {"unsure": p.unsure, **covered, "out_of_scope": p.out_of_scope, "scope_score": p.scope_score}


def cells(read: Callable[..., T]) -> Callable[[Examples], tuple[Sequence[T], tuple[str, ...]]]:
    """A task's `parse`, from what makes a target of one cell: read(cell, where=)."""

    def parse(examples: Examples) -> tuple[Sequence[T], tuple[str, ...]]:
        cells, where = examples.targets, examples.where
        if isinstance(cells, Coded):
            first = np.sort(cells.first_rows)
            places = (where[row] for row in in_blocks(first[first < len(cells)]))
            return cells.map(lambda cell: read(cell, where=next(places))), ()
        return [read(cell, where=place) for cell, place in zip(cells, where, strict=True)], ()

    return parse
