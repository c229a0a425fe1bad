"""The one error a user meets, in three parts: what is wrong, where, what to do.

UserError            exit code 2; the input, a name or an option is wrong
├── DataError        the user's examples or labels
├── ModelError       a backbone or a saved folder that cannot be used
└── OutputError      the place to write to
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, zip_longest

_LONGEST = 500  # characters of one part of a message
_LONGEST_NAME = 60  # of one name among others
# What the name of a file, or a label, may hold: line ends, commands to a terminal, what turns the line around.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_HALF = re.compile(r"[\ud800-\udfff]")  # of a character: a byte of a name that is no UTF-8, or damage


class UserError(Exception):
    """What is wrong (with the value seen), where (file and row, or the argument as typed), what to do.

    Messages name options as the command line has them; where no command runs, they are told in Python's words.

    Example:
        >>> try:
        ...     hs.fit("no such folder")
        ... except hs.UserError as error:
        ...     print(error.what)
        no such file or folder
    """

    for_python = True  # a command says otherwise

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        what, where, fix = map(worded, (what, where, fix))
        self.what, self.where, self.fix = what, where, fix
        what, where, fix = (shortened(_HALF.sub(_escaped, plain(part))) for part in (what, where, fix))
        first = f"{where}: {what}" if where else what
        super().__init__(f"{first}\n{fix}" if fix else first)


class DataError(UserError):
    """The user's examples or labels cannot be used."""


class ModelError(UserError):
    """A pre-trained model or a saved folder cannot be used."""


class OutputError(UserError):
    """The result cannot be written where it should go."""


class StoppedError(UserError):
    """Whoever follows the progress of a fit asked it to end."""


# Options of commands that are arguments of functions too, with a value where one stands behind them.
_OPTION = re.compile(
    r"--(abstain|allow-rejected|budget|coverage|device|feedback|final|force|format|how|keep|licence|max-length|metric|model|models|on|out"
    r"|per-class|positive|recall|seeds?|shard|store|task|test|threads|threshold|track)\b"
    r"(?: ([a-z0-9][\w-]*)\b(?![.]\w))?"
)
# Those that name columns are one argument together.
_NAMED = "image-root|class-folders|text2?|image|labels?|separator|encoding|delimiter|group"
_PROSE = "or|and|is|are|does|do|takes?|says?|where|out|may|the|learns?|if|for|with|holds?"  # no names of columns
_COLUMN = rf"--({_NAMED})\b(?: (?!(?:{_PROSE})\b)('[^']*'|\w[\w-]*(?:[.,]\w[\w-]*)*))?"
_PLACES = ("COLUMN", "NAME", "FOLDER")  # what stands for a value
_COLUMNS = re.compile(rf"{_COLUMN}(?: {_COLUMN})*")

_COMMAND = re.compile(rf"\bheadstart [a-z]+(?: (?!(?:{_PROSE})\b)(?:'[^']*'|[^\s;,]+))*")  # to be typed as it stands


def worded(said: str) -> str:
    """Words that name options of commands; where no command runs, with what functions have instead."""
    if not UserError.for_python:
        return said
    between, commands = _COMMAND.split(said), _COMMAND.findall(said)
    plain_words = (_OPTION.sub(_argument, _COLUMNS.sub(_columns, words)) for words in between)
    return "".join(chain.from_iterable(zip_longest(plain_words, commands, fillvalue="")))


def _columns(options: re.Match[str]) -> str:
    values: dict[str, list[str]] = {}
    for option in re.finditer(_COLUMN, options[0]):
        named = option[2] or "..."
        several = named.split(",") if option[1] == "labels" else [named]
        values.setdefault(option[1], []).extend("..." if one in _PLACES else one.strip("'") for one in several)
    texts = {name: [f'"{value}"' for value in some] for name, some in values.items()}
    said = [
        f"{name.replace('-', '_')}={some[0]}" if len(some) == 1 else f"{name}=[{', '.join(some)}]"
        for name, some in texts.items()
    ]
    return f"Columns({', '.join(said)})"


def _argument(option: re.Match[str]) -> str:
    name, value = option[1].replace("-", "_"), option[2]
    if name in ("allow_rejected", "final", "force", "per_class"):
        return f"{name}=True" + (f" {value}" if value else "")
    if value and (name == "task" or value in _VALUES):
        return f"{name}={value!r}"
    return name + (f" {value}" if value else "")


_VALUES = ("probe", "tune", "full", "lora", "auto", "any", "ray", "int8")


def shortened(text: str, longest: int = _LONGEST) -> str:
    """The text with its middle left out where it is too long to be read."""
    return text if len(text) <= longest else f"{text[: longest // 2]} [...] {text[-longest // 2 :]}"


def short_name(name: str) -> str:
    """A name, of a class say, with its middle left out where it is longer than names are."""
    return shortened(name, _LONGEST_NAME)


def some_of(names: Sequence[str], most: int = 5) -> str:
    """The first names, each short, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(short_name, names[:most])) + more


def plain(text: str) -> str:
    """The text on one line, what a terminal would obey in it escaped."""
    return CONTROL.sub(_escaped, text)


def _escaped(character: re.Match[str]) -> str:
    return ascii(character[0])[1:-1]


_OURS_TO_STOP = (KeyboardInterrupt, SystemExit, GeneratorExit, UserError)
_MOST_SHOWN = 160  # characters of what a library says
_NO_NAMES = ("Exception", "Error", "error")  # of classes: csv's, struct's and zlib's say no more


@contextmanager
def somebody_elses(library: str, *, where: str = "", fix: str = "") -> Iterator[None]:
    """Where a library works on a stranger's bytes: whatever it raises becomes a ModelError with its first line.

    Such libraries raise what their authors did not foresee, Rust's panics among it, which are no Exception; so all but
    a request to stop is taken. Nothing of ours belongs inside.
    """
    try:
        yield
    except _OURS_TO_STOP:
        raise
    except MemoryError:
        raise ModelError(f"{library} needs more memory for it than there is", where=where, fix=fix) from None
    except BaseException as error:
        raise ModelError(f"{library} cannot use it: {first_line(error)}", where=where, fix=fix) from error


def first_line(error: BaseException) -> str:
    """What an error of a library says, short; its class where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if not line.startswith("Exception from ")), lines[0] if lines else "")
    if not isinstance(error, OSError | RuntimeError | ValueError) and type(error).__name__ not in _NO_NAMES:
        said = f"{type(error).__name__} {said}".strip()
    return said[:_MOST_SHOWN] or type(error).__name__
