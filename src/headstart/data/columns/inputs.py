"""Which columns of a table hold the inputs, texts, pairs or photos: by name, then by content."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from headstart.data.columns.label import are_dates, is_number
from headstart.data.columns.names import ABOUT, BODIES, IMAGES, PAIRS, TEXTS, TITLES, words_of
from headstart.data.columns.no_texts import refuse_no_texts, refuse_written_pictures
from headstart.data.columns.picture_cells import are_pictures
from headstart.data.columns.text import SHORT, by_last_word, holds_texts
from headstart.data.files.endings import TEXTS as TEXT_FILES
from headstart.data.files.endings import is_photo
from headstart.data.files.named_files import file_names
from headstart.errors import DataError
from headstart.values import Columns

_OF_NAMES = ("image",)  # modalities whose columns hold names of files

Sample = dict[str, list[str | None]]  # the first rows of each column, as text


def listed(names: Collection[str], *, between: str = ", ") -> str:
    """The names, or as many of them as a line has room for."""
    some = between.join(name if name.isprintable() else repr(name) for name in islice(names, 30))
    more = f" and {len(names) - 30} more" if len(names) > 30 else ""
    return (some if len(some) <= 1000 else f"{some[:1000]}...") + more


def input_columns(
    sample: Sample, cells: Mapping[str, Sequence[Any]], asked: Columns, taken: set[str | None], where: str
) -> tuple[str, tuple[str, ...], list[str]]:
    """Kind and columns of the inputs, with notes."""
    if asked.image:
        refuse_written_pictures({asked.image: sample[asked.image]}, where)
        return "image", (asked.image,), []
    if asked.texts:
        return ("pair", (*asked.texts, asked.text2), []) if asked.text2 else ("text", asked.texts, [])
    pictures = {name: sample[name] for name in sample if name not in taken and are_pictures(cells[name])}
    image = by_name(pictures, IMAGES, taken) or next(iter(pictures), None) or _image_column(sample, taken)
    if image is not None:
        return "image", (image,), []
    refuse_written_pictures({name: values for name, values in sample.items() if name not in taken}, where)
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
    if notes and len(texts) == 1:  # nothing but its length says that it is the text
        refuse_no_texts(texts[0], sample[texts[0]], where)
    return "text", texts, notes


def held(
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
    title, body = by_name(sample, TITLES, taken), by_name(sample, BODIES, taken)
    full = [name for name in sample if name not in taken and holds_texts(sample[name])]
    if len(full) == 2 and not (title and body) and by_name(sample, TEXTS, taken) is None:
        title, body = by_last_word(full, TITLES), by_last_word(full, BODIES)
    if title and body and body in full and holds_texts(sample[title], least=SHORT):
        note = (
            f"{where}: columns {title!r} and {body!r} joined into one text; --text {shlex.quote(body)} takes it alone"
        )
        return (title, body), [note]
    text = by_name(sample, TEXTS, taken)
    others = [name for name in full if name not in (text, title)]
    if (text in full and others) or (text is None and len(others) > 1):
        one, two = (text, others[0]) if text in full else others[:2]
        a, b = shlex.quote(one), shlex.quote(two)
        fix = f"--text {a} takes it alone, --text {a} --text2 {b} as pairs, --text {a} --text {b} joined"
        if any(map(_asks, (sample[one], sample[two]))):
            fix += "; for questions that are answered from texts, call the columns context, question and answer"
        raise DataError(f"two columns of texts: {one!r} and {two!r}", where=where, fix=fix)
    if text is not None:
        return (text,), []
    longest = _longest(sample, taken)
    if longest is None:
        what = f"no column of texts or image paths among: {listed(sample)}"
        raise DataError(what, where=where, fix="name it with --text COLUMN or --image COLUMN")
    return (longest,), [f"{where}: column {longest!r} taken as the text"]


def _asks(cells: Sequence[Any]) -> bool:
    """Whether most of some texts end in a question mark."""
    texts = [str(cell).strip() for cell in cells if cell is not None]
    return 2 * sum(text.endswith("?") for text in texts) > len(texts)


def left_out(sample: Sample, values: tuple[str, ...], taken: set[str | None], where: str) -> list[str]:
    """A note on columns beside those of texts that hold some words, too, or are called a title."""
    free = [name for name in sample if name not in taken and name not in values]
    title = by_name(sample, TITLES, taken)
    others = [name for name in free if name == title or _some_words(name, sample[name])]
    if not others:
        return []
    several = [f"--text {shlex.quote(name)}" for name in sample if name in (others[0], *values)]
    takes = f"{' '.join(several)} joins them" if len(values) == 1 else "--text COLUMN takes another"
    return [f"{where}: left out, though it may be texts, too: {listed(others)}; {takes}"]


def _some_words(name: str, values: Sequence[str | None]) -> bool:
    return not ABOUT.intersection(words_of(name)) and holds_texts(values, least=SHORT)


def by_name(sample: Sample, names: tuple[str, ...], taken: set[str | None]) -> str | None:
    lower = {name.strip().lower(): name for name in reversed(list(sample)) if name not in taken}
    return next((lower[name] for name in names if name in lower), None)


def _image_column(sample: Sample, taken: set[str | None]) -> str | None:
    def paths(name: str) -> bool:
        values = [v for v in sample[name] if v]
        return bool(values) and sum(map(is_photo, values)) > len(values) / 2

    named = by_name(sample, IMAGES, taken)
    if named is not None and paths(named):
        return named
    return next((name for name in sample if name not in taken and paths(name)), None)


def _longest(sample: Sample, taken: set[str | None]) -> str | None:
    mean = {
        name: sum(len(v or "") for v in values) / max(1, len(values))
        for name, values in sample.items()
        if name not in taken and not all(is_number(v) for v in values if v)
    }
    mean = {name: size for name, size in mean.items() if not are_dates([v for v in sample[name] if v])} or mean
    return max(mean, key=lambda name: mean[name], default=None)
