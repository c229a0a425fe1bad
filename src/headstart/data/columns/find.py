"""Which columns of a table hold the labels, and which the texts or the images: by name, then by content."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from headstart.data.columns.inputs import Sample, by_name, held, input_columns, left_out, listed
from headstart.data.columns.label import called_labels, is_number, like_classes, other_column
from headstart.data.columns.names import LABELS, PARTS
from headstart.data.columns.text import lists_joined, refuse_no_text, refuse_unlabelled
from headstart.data.files.accents import composed
from headstart.data.files.named_files import file_names
from headstart.data.files.part_names import names_part, part_named
from headstart.data.labels.indicators import indicator_columns, marked_columns, nearly_indicators
from headstart.errors import DataError
from headstart.values import Columns

_ALSO_PARTS = ("partition", "set")  # where it holds names of parts
NO_LABEL = "no label column among: "
_MOST_TOLD = 5  # columns among which the user is to choose


@dataclass(frozen=True)
class Found:
    """Which columns were taken, and as what."""

    kind: str  # the name of the modality: "image", "text" or "pair"
    values: tuple[str, ...]  # columns of the inputs; of texts, several are joined
    labels: tuple[str, ...]  # columns of the targets: one, or several of 0 and 1
    part: str | None
    group: str | None  # the column of what rows share that belong together
    notes: tuple[str, ...]
    holds: Literal["names", "texts", "pictures", "files"]  # what a cell of the inputs is; of "files", a text's name

    def columns(self, separator: str | None) -> Columns:
        """The same as a user would name them."""
        one = len(self.labels) == 1
        said = {"label": self.labels[0]} if one else {"labels": self.labels or None}
        return replace(_AS_NAMED[self.kind](self.values), **said, separator=separator, group=self.group)


def as_typed(columns: Columns) -> str:
    """The options that name these columns, as they are typed behind a command; empty: none."""
    named: list[tuple[str, str | None]] = [("--text", text) for text in columns.texts]
    named += [("--text2", columns.text2), ("--image", columns.image), ("--label", columns.label)]
    named += [("--labels", ",".join(columns.labels or ())), ("--group", columns.group)]
    return "".join(f" {option} {shlex.quote(name)}" for option, name in named if name)


_AS_NAMED: dict[str, Callable[[tuple[str, ...]], Columns]] = {
    "image": lambda values: Columns(image=values[0]),
    "text": lambda values: Columns(text=values),
    "pair": lambda values: Columns(text=values[:-1], text2=values[-1]),
}


def find_columns(
    sample: Sample, cells: Mapping[str, Sequence[Any]], asked: Columns, *, where: str, need_label: bool = True
) -> Found:
    """Pick columns from the first rows of a table.

    Args:
        sample: as text. cells: the same as they are.

    Raises:
        DataError: a column that was asked for is not there, none fits, or several do.
    """
    asked = with_known(sample, asked, need_label=need_label)
    _refuse_contradiction(asked, where)
    _refuse_absent(sample, asked, where)
    named = {*asked.texts, asked.text2, asked.image, asked.label, asked.group, *(asked.labels or ())}
    part = _parts(sample, named)
    named |= {part}
    label = asked.label or (None if asked.labels else by_name(sample, LABELS, named))
    labels, notes = _labels(sample, cells, asked, label, named, where)
    if need_label and not labels and not asked.named:
        refuse_unlabelled({name: sample[name] for name in sample if name not in named}, cells, where)
    kind, values, more = input_columns(sample, cells, asked, {*named, *labels}, where)
    holds = held(kind, values, sample, cells)
    if holds == "texts":
        refuse_no_text(values, cells, where)
    notes = [*(notes if need_label else ()), *more]
    several: list[str] = []
    if not labels and need_label:
        several, said = _guessed(sample, values, named, guessed_text=bool(more), where=where)
        labels, notes = tuple(several) if len(several) == 1 else (), [*notes, *said]
    elif label and not asked.label and need_label:
        notes += _said(sample, label, {*values, *named, label}, where)
    also = () if label or asked.labels or not need_label else _like_labels(cells, {*values, *named}, labels)
    option = f"--labels {listed([n for n in sample if n in also or (len(labels) > 1 and n in labels)], between=',')}"
    if not labels and need_label:
        what = f"several columns may be the label: {listed(several)}" if several else NO_LABEL
        one = " or ".join(f"--label {shlex.quote(name)}" for name in several[:_MOST_TOLD]) or "--label COLUMN"
        fix = f"name it with {one}{f', or several: {option}' if also else ''}"
        raise DataError(what if several else what + listed(sample), where=where, fix=fix)
    if also:
        others = listed([name for name in also if name not in labels])
        notes = [*notes, f"{where}: left out, though they look like labels, too: {others}; {option} takes all"]
    part = part or by_name(sample, PARTS, {*values, *labels, asked.group})
    taken = (*values, *labels, asked.group)
    free = [name for name in sample if need_label and part is None and name not in taken]
    unused = [name for name in free if _names_parts(sample[name])]
    notes += [f"{where}: column {name!r} holds names of parts; call it split to have them kept" for name in unused]
    if holds == "texts":
        notes += lists_joined(values, cells, where)
        notes += [] if asked.texts else left_out(sample, values, {*named, *labels, part}, where)
    if holds == "files":
        notes = [
            *(n for n in notes if "taken as the text" not in n),
            f"{where}: each file that column {values[0]!r} names ({sample[values[0]][0]}) is one text",
        ]
    elif holds == "texts" and file_names(sample[values[0]]):
        notes = [*notes, f"{where}: column {values[0]!r} holds names of files, which are taken as the texts themselves"]
    return Found(kind, values, labels, part, asked.group, tuple(notes), holds)


def refuse_unused(asked: Columns | None, what: str, *options: str) -> None:
    """Raises DataError where an option is given that has no meaning for such data: nothing is left aside in silence."""
    for option in options:
        value = getattr(asked, option) if asked else None
        if value is not None:
            where = f"--{option.replace('_', '-')}"
            raise DataError(f"of no use for {what}: {value!r}", where=where, fix="leave it out")


def with_known(there: Collection[str], asked: Columns, *, need_label: bool) -> Columns:
    """What was asked for, and the known columns of inputs and of targets where none of these are named.

    Args:
        there: the table's columns; where it lacks a known one, none of them is taken.
    """
    asked, known = _as_spelled(there, asked), asked.known and _as_spelled(there, asked.known)
    if known is None:
        return asked
    if asked.texts or asked.text2 or asked.image:
        known = replace(known, text=None, text2=None, image=None)
    if not need_label or asked.label or asked.labels:
        known = replace(known, label=None, labels=None)
    if not need_label or asked.group or known.group not in there:  # which changes no answer
        known = replace(known, group=None)
    names = [*known.texts, known.text2, known.image, known.label, *(known.labels or ())]
    more = known.named if all(name in there for name in names if name is not None) else {"separator": known.separator}
    return replace(asked, known=None, **{**more, **asked.named})


def _as_spelled(there: Collection[str], asked: Columns) -> Columns:
    """The columns that were asked for, as the table writes their accents."""
    own = {composed(name): name for name in there if not name.isascii()}
    said = {k: v for k, v in asked.named.items() if own and k not in ("separator", "image_root")}

    def spelled(name: str) -> str:
        return name if name in there else own.get(composed(name), name)

    named: dict[str, Any] = {k: spelled(v) if isinstance(v, str) else tuple(map(spelled, v)) for k, v in said.items()}
    return replace(asked, **named)


def _refuse_contradiction(asked: Columns, where: str) -> None:
    """Options of which one would be left aside without a word."""
    given = asked.named
    for one, other in (("label", "labels"), ("image", "text"), ("image", "text2"), ("separator", "labels")):
        if one in given and other in given:
            raise DataError(f"--{one} and --{other} exclude each other", where=where, fix="leave one of them out")
    used: dict[str, str] = {}
    for option, name in _options(replace(asked, group=None)):
        if name in used:
            both = f"--{used[name]} and --{option}" if used[name] != option else f"--{option}, twice"
            raise DataError(f"{name!r} is named with {both}", where=where, fix="name each column once")
        used[name] = option
    if asked.group is not None and asked.group in (asked.label, *(asked.labels or ())):
        what = f"{asked.group!r} is the label, and a group of examples is kept on one side of the split"
        raise DataError(what, where=f"{where}, --group", fix="name the column of the patient, product or author")
    if "text2" in given and "text" not in given:
        fix = f"--text COLUMN --text2 {shlex.quote(str(asked.text2))}"
        raise DataError("--text2 is the second text of a pair, and --text does not say the first", where=where, fix=fix)


def _refuse_absent(sample: Sample, asked: Columns, where: str) -> None:
    for option, name in _options(asked):
        if name not in sample:
            near = difflib.get_close_matches(name, list(sample), n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DataError(f"no column {name!r}", where=f"{where}, --{option}", fix=f"{hint}columns: {listed(sample)}")


def _options(asked: Columns) -> list[tuple[str, str]]:
    """The columns that are named, with the option of each."""
    options = [("group", asked.group), *(("text", name) for name in asked.texts), ("text2", asked.text2)]
    options += [("image", asked.image), ("label", asked.label), *(("labels", name) for name in asked.labels or ())]
    return [(option, name) for option, name in options if name is not None]


def _labels(
    sample: Sample,
    cells: Mapping[str, Sequence[Any]],
    asked: Columns,
    label: str | None,
    named: set[str | None],
    where: str,
) -> tuple[tuple[str, ...], list[str]]:
    """Columns of the targets, where they are named or plain, with notes."""
    if asked.labels:
        return tuple(asked.labels), []
    if label is not None:
        return (label,), []
    free = {name: cells[name] for name in sample if name not in named}
    several = indicator_columns(free)
    if not several:
        return (), []
    note = f"{where}: columns {listed(several)} taken as labels of 0 and 1; --label COLUMN takes one as the label"
    odd = nearly_indicators(free)
    return several, [note, *(f"{where}: column {name!r} is none of them: it holds {odd[name]}" for name in odd)]


def _like_labels(
    cells: Mapping[str, Sequence[Any]], taken: set[str | None], labels: tuple[str, ...]
) -> tuple[str, ...]:
    """Columns of yes and no side by side, of which not all are labels already."""
    found = marked_columns({name: column for name, column in cells.items() if name not in taken})
    enough = bool(set(found) - set(labels)) and (len(labels) > 1 or len(found) > 1)
    return found if enough else ()


def _parts(sample: Sample, taken: set[str | None]) -> str | None:
    """The column that is called like official parts and holds mostly names of such."""
    lower = {name.strip().lower(): name for name in reversed(list(sample)) if name not in taken}
    there = [lower[name] for name in (*PARTS, *_ALSO_PARTS) if name in lower]
    return next((name for name in there if _share_of_parts(sample[name]) > 0.5), None)


def _no_label(name: str, values: list[str | None]) -> bool:
    """Whether a column says what an example is for: its values are names of parts, or numbers of folds."""
    called_so = name.strip().lower() in (*PARTS, *_ALSO_PARTS)
    return _names_parts(values) or (called_so and all(map(is_number, filter(None, values))))


def _names_parts(values: list[str | None]) -> bool:
    """Whether a column of any name holds nothing but names of parts, of which one is to learn from."""
    return _share_of_parts(values) == 1 and any(part_named(value) == "train" for value in values)


def _share_of_parts(values: list[str | None]) -> float:
    present = [value for value in values if value and value.strip()]
    return sum(map(names_part, present)) / max(1, len(present))


def _guessed(
    sample: Sample, values: tuple[str, ...], named: set[str | None], *, guessed_text: bool, where: str
) -> tuple[list[str], list[str]]:
    """The column that is most like one of labels, where none is called so, with a note; or several that may be it."""
    no_label = {name for name, column in sample.items() if _no_label(name, column)} | named
    called, alike = called_labels(sample, {*values, *no_label}), like_classes(sample, {*values, *no_label})
    several = called or alike
    if len(several) > 1:
        return several, []
    found = several[0] if several else other_column(sample, values, guessed_text=guessed_text)
    if found is None or found in no_label:
        return [], []
    others = [name for name in alike if name != found]
    more = f"; --label COLUMN takes another: {listed(others)}" if others else ""
    return [found], [f"{where}: column {found!r} taken as the label{more}"]


def _said(sample: Sample, label: str, used: set[str | None], where: str) -> list[str]:
    """A note on the label that its name was taken for, where others may be meant."""
    free = {name: column for name, column in sample.items() if name not in used and not _no_label(name, column)}
    called = {*called_labels(free, set())}
    others = [name for name in free if name.strip().lower() in LABELS or name in called]
    more = f"; --label COLUMN takes another: {listed(others)}" if others else ""
    plain = label.strip().lower() in ("label", "labels", "y", "target")
    return [] if (plain and not others) or not free else [f"{where}: column {label!r} taken as the label{more}"]
