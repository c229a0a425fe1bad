"""Which columns of a table hold the labels, and which the texts or the images: by name, then by content."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePath
from typing import Any, Literal

from headstart.data.cells import are_pictures
from headstart.data.indicators import indicator_columns, marked_columns, nearly_indicators
from headstart.data.label_column import are_dates, called_labels, like_classes, other_column
from headstart.data.named_files import TEXT_FILES, file_names
from headstart.data.parts import names_part, part_named
from headstart.data.text_column import by_last_word, holds_texts, refuse_unlabelled
from headstart.errors import DataError
from headstart.values import Columns

LABELS = ("label", "labels", "class", "category", "target", "intent", "sentiment", "y", "tag", "topic", "score")
TEXTS = ("text", "sentence", "question", "review", "message", "content", "query", "utterance", "comment", "x")
IMAGES = ("image", "image_path", "path", "file", "filename", "file_name", "filepath", "img", "photo")
PARTS = ("split", "part", "fold", "subset")
_ALSO_PARTS = ("partition", "set")  # where it holds names of parts
PAIRS = (
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
    ("#1 string", "#2 string"),
)
TITLES = ("title", "subject", "headline", "heading")
BODIES = (*TEXTS, "body", "description", "article", "abstract")
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".jfif", ".ppm", ".pgm", ".avif")
)
_OF_NAMES = ("image",)  # modalities whose columns hold names of files
_MOST_TOLD = 5  # columns among which the user is to choose

Sample = dict[str, list[str | None]]  # the first rows of each column, as text


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
    label = asked.label or (None if asked.labels else _by_name(sample, LABELS, named))
    labels, notes = _labels(sample, cells, asked, label, named, where)
    if need_label and not labels and not asked.named:
        refuse_unlabelled({name: sample[name] for name in sample if name not in named}, cells, where)
    kind, values, more = _inputs(sample, cells, asked, {*named, *labels}, where)
    notes = [*notes, *more]
    several: list[str] = []
    if not labels and need_label:
        several, said = _guessed(sample, values, named, guessed_text=bool(more), where=where)
        labels, notes = tuple(several) if len(several) == 1 else (), [*notes, *said]
    elif label and not asked.label and need_label:
        notes += _said(sample, label, {*values, *named, label}, where)
    also = () if label or asked.labels else _like_labels(cells, {*values, *named}, labels)
    option = f"--labels {listed([n for n in sample if n in also or (len(labels) > 1 and n in labels)], between=',')}"
    if not labels and need_label:
        what = f"several columns may be the label: {listed(several)}" if several else "no label column among: "
        one = " or ".join(f"--label {shlex.quote(name)}" for name in several[:_MOST_TOLD]) or "--label COLUMN"
        fix = f"name it with {one}{f', or several: {option}' if also else ''}"
        raise DataError(what if several else what + listed(sample), where=where, fix=fix)
    if also:
        others = listed([name for name in also if name not in labels])
        notes = [*notes, f"{where}: left out, though they look like labels, too: {others}; {option} takes all"]
    part = part or _by_name(sample, PARTS, {*values, *labels, asked.group})
    taken = (*values, *labels, asked.group)
    unused = [name for name in sample if part is None and name not in taken and _names_parts(sample[name])]
    notes += [f"{where}: column {name!r} holds names of parts; call it split to have them kept" for name in unused]
    holds = _held(kind, values, sample, cells)
    if holds == "files":
        notes = [
            *(n for n in notes if "taken as the text" not in n),
            f"{where}: each file that column {values[0]!r} names ({sample[values[0]][0]}) is one text",
        ]
    elif holds == "texts" and file_names(sample[values[0]]):
        notes = [*notes, f"{where}: column {values[0]!r} holds names of files, which are taken as the texts themselves"]
    return Found(kind, values, labels, part, asked.group, tuple(notes), holds)


def listed(names: Collection[str], *, between: str = ", ") -> str:
    """The names, or as many of them as a line has room for."""
    some = between.join(name if name.isprintable() else repr(name) for name in islice(names, 30))
    more = f" and {len(names) - 30} more" if len(names) > 30 else ""
    return (some if len(some) <= 1000 else f"{some[:1000]}...") + more


def with_known(there: Collection[str], asked: Columns, *, need_label: bool) -> Columns:
    """What was asked for, and the known columns of inputs and of targets where none of these are named.

    Args:
        there: the table's columns; where it lacks a known one, none of them is taken.
    """
    known = asked.known
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


def _refuse_contradiction(asked: Columns, where: str) -> None:
    """Options of which one would be left aside without a word."""
    given = asked.named
    for one, other in (("label", "labels"), ("image", "text"), ("image", "text2"), ("separator", "labels")):
        if one in given and other in given:
            raise DataError(f"--{one} and --{other} exclude each other", where=where, fix="leave one of them out")
    if asked.group is not None and asked.group in (asked.label, *(asked.labels or ())):
        what = f"{asked.group!r} is the label, and a group of examples is kept on one side of the split"
        raise DataError(what, where=f"{where}, --group", fix="name the column of the patient, product or author")
    if "text2" in given and "text" not in given:
        fix = f"--text COLUMN --text2 {shlex.quote(str(asked.text2))}"
        raise DataError("--text2 is the second text of a pair, and --text does not say the first", where=where, fix=fix)


def _refuse_absent(sample: Sample, asked: Columns, where: str) -> None:
    options: list[tuple[str, str | None]] = [("--text", name) for name in asked.texts]
    options += [("--group", asked.group)]
    options += [("--text2", asked.text2), ("--image", asked.image), ("--label", asked.label)]
    options += [("--labels", name) for name in asked.labels or ()]
    for flag, name in options:
        if name is not None and name not in sample:
            near = difflib.get_close_matches(name, list(sample), n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DataError(f"no column {name!r}", where=f"{where}, {flag}", fix=f"{hint}columns: {listed(sample)}")


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


def _inputs(
    sample: Sample, cells: Mapping[str, Sequence[Any]], asked: Columns, taken: set[str | None], where: str
) -> tuple[str, tuple[str, ...], list[str]]:
    """Kind and columns of the inputs, with notes."""
    if asked.image:
        return "image", (asked.image,), []
    if asked.texts:
        return ("pair", (*asked.texts, asked.text2), []) if asked.text2 else ("text", asked.texts, [])
    pictures = [name for name in sample if name not in taken and are_pictures(cells[name])]
    image = _image_column(sample, taken) or next(iter(pictures), None)
    if image is not None:
        return "image", (image,), []
    pair = _pair(sample, taken)
    if pair is not None:
        note = f"{where}: columns {pair[0]!r} and {pair[1]!r} taken as pairs of texts; --text COLUMN takes one alone"
        return "pair", pair, [note]
    texts, notes = _texts(sample, taken, where)
    ending = file_names(sample[texts[0]])
    if ending is not None and ending not in TEXT_FILES:
        what = f"column {texts[0]!r} holds names of {ending} files, and headstart reads images, and texts in .txt files"
        fix = "--text COLUMN takes another column; the names themselves would be the texts of this one"
        raise DataError(what, where=where, fix=fix)
    return "text", texts, notes


def _held(
    kind: str, values: tuple[str, ...], sample: Sample, cells: Mapping[str, Sequence[Any]]
) -> Literal["names", "texts", "pictures", "files"]:
    if kind in _OF_NAMES:
        return "pictures" if are_pictures(cells[values[0]]) else "names"
    return "files" if len(values) == 1 and file_names(sample[values[0]]) in TEXT_FILES else "texts"


def _pair(sample: Sample, taken: set[str | None]) -> tuple[str, str] | None:
    """Two columns whose names say that they belong together."""
    lower = {name.strip().lower(): name for name in reversed(list(sample)) if name not in taken}
    return next(((lower[a], lower[b]) for a, b in PAIRS if a in lower and b in lower), None)


def _texts(sample: Sample, taken: set[str | None], where: str) -> tuple[tuple[str, ...], list[str]]:
    """The column of texts; a title and a body together.

    Raises:
        DataError: there is none, or there are two and nothing says how they belong together.
    """
    title, body = _by_name(sample, TITLES, taken), _by_name(sample, BODIES, taken)
    full = [name for name in sample if name not in taken and holds_texts(sample[name])]
    if len(full) == 2 and not (title and body) and _by_name(sample, TEXTS, taken) is None:
        title, body = by_last_word(full, TITLES), by_last_word(full, BODIES)
    if title and body and title in full and body in full:
        note = (
            f"{where}: columns {title!r} and {body!r} joined into one text; --text {shlex.quote(body)} takes it alone"
        )
        return (title, body), [note]
    text = _by_name(sample, TEXTS, taken)
    others = [name for name in full if name not in (text, title)]
    if (text in full and others) or (text is None and len(others) > 1):
        one, two = (text, others[0]) if text in full else others[:2]
        a, b = shlex.quote(one), shlex.quote(two)
        fix = f"--text {a} takes it alone, --text {a} --text2 {b} as pairs, --text {a} --text {b} joined"
        raise DataError(f"two columns of texts: {one!r} and {two!r}", where=where, fix=fix)
    if text is not None:
        return (text,), []
    longest = _longest(sample, taken)
    if longest is None:
        what = f"no column of texts or image paths among: {listed(sample)}"
        raise DataError(what, where=where, fix="name it with --text COLUMN or --image COLUMN")
    return (longest,), [f"{where}: column {longest!r} taken as the text"]


def _by_name(sample: Sample, names: tuple[str, ...], taken: set[str | None]) -> str | None:
    lower = {name.strip().lower(): name for name in reversed(list(sample)) if name not in taken}
    return next((lower[name] for name in names if name in lower), None)


def _image_column(sample: Sample, taken: set[str | None]) -> str | None:
    def paths(name: str) -> bool:
        values = [v for v in sample[name] if v]
        return bool(values) and sum(PurePath(v).suffix.lower() in SUFFIXES for v in values) > len(values) / 2

    named = _by_name(sample, IMAGES, taken)
    if named is not None and paths(named):
        return named
    return next((name for name in sample if name not in taken and paths(name)), None)


def _longest(sample: Sample, taken: set[str | None]) -> str | None:
    mean = {
        name: sum(len(v or "") for v in values) / max(1, len(values))
        for name, values in sample.items()
        if name not in taken and not all(_number(v) for v in values if v)
    }
    mean = {name: size for name, size in mean.items() if not are_dates([v for v in sample[name] if v])} or mean
    return max(mean, key=lambda name: mean[name], default=None)


def _parts(sample: Sample, taken: set[str | None]) -> str | None:
    """The column that is called like official parts and holds mostly names of such."""
    lower = {name.strip().lower(): name for name in reversed(list(sample)) if name not in taken}
    there = [lower[name] for name in (*PARTS, *_ALSO_PARTS) if name in lower]
    return next((name for name in there if _share_of_parts(sample[name]) > 0.5), None)


def _no_label(name: str, values: list[str | None]) -> bool:
    """Whether a column says what an example is for: its values are names of parts, or numbers of folds."""
    called_so = name.strip().lower() in (*PARTS, *_ALSO_PARTS)
    return _names_parts(values) or (called_so and all(map(_number, filter(None, values))))


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
    others = [name for name in free if name.strip().lower() in LABELS or name in called_labels(free, set())]
    more = f"; --label COLUMN takes another: {listed(others)}" if others else ""
    plain = label.strip().lower() in ("label", "labels", "y", "target")
    return [] if (plain and not others) or not free else [f"{where}: column {label!r} taken as the label{more}"]


def _number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
