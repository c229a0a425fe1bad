"""What commands have in common: options, standard input, and how they print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.commands import streams
from headstart.errors import UserError
from headstart.progress import Progress
from headstart.report import terminal
from headstart.storage import places
from headstart.values import Columns

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Pair = Annotated[tuple[str, str] | None, typer.Option(metavar="A B", help="Two texts; or a question and a text.")]
Way = Annotated[
    str | None, typer.Option("--as", help="text: the words themselves; file: one text; lines: a text a line.")
]
Text = Annotated[list[str] | None, typer.Option(help="Column of texts; several are joined, in this order.")]
Text2 = Annotated[str | None, typer.Option(help="Column of the second text of a pair.")]
Image = Annotated[str | None, typer.Option(help="Column of image paths.")]
Label = Annotated[str | None, typer.Option(help="Column of labels or numbers.")]
Labels = Annotated[str | None, typer.Option(help="Columns of 0 and 1, one a label, with commas.")]
Separator = Annotated[str | None, typer.Option(help="Between the labels of an example, for example , or |.")]
Encoding = Annotated[str | None, typer.Option(help="Of text, for example cp1252, gb18030. Default: found.")]
Delimiter = Annotated[str | None, typer.Option(help="Between the cells of a CSV, for example ; or tab.")]
ImageRoot = Annotated[str | None, typer.Option(help="Folder that the photos of a table lie in.")]
ClassFolders = Annotated[str | None, typer.Option(help="outer or inner, where either could be the classes.")]
Group = Annotated[
    str | None, typer.Option(help="Column of what rows that belong together share (patient, product): never split.")
]
AllowRejected = Annotated[
    bool, typer.Option("--allow-rejected", help="Go on where more examples cannot be used than can.")
]
Final = Annotated[
    bool, typer.Option("--final", help="Once the test part is scored, learn from it, too, with the settings found.")
]
MaxLength = Annotated[
    int | None, typer.Option(min=1, help="Tokens of a text that are read. Default: as the model was made for.")
]
Names = Annotated[
    str | None, typer.Option(metavar="FILE|none", help="Words for classes, CLASS,TEXT a row. Default: their names.")
]
Unlabelled = Annotated[str | None, typer.Option(help="Examples without labels, learned from too: a folder, a table.")]
Host = Annotated[str, typer.Option(help="Address to listen at; one that others reach takes --token-file.")]
TokenFile = Annotated[Path | None, typer.Option(help="File whose first line is the token that clients have to send.")]
Feedback = Annotated[
    str | None, typer.Option(help="Corrected examples, as serve --feedback stores them: learned from, not tested on.")
]
Classes = Annotated[
    str | None, typer.Option(help="Of texts without any label: what they may be about, with commas between.")
]
Track = Annotated[str | None, typer.Option(help="Log to mlflow, mlflow:URI, tensorboard or tensorboard:FOLDER.")]
Store = Annotated[Path | None, typer.Option(help="Folder of features, as encode fills it, in place of the cache.")]
Keep = Annotated[
    str | None, typer.Option(help="Features in float16, or in int8: half the bytes. Default: as the store has them.")
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps. Default: a GPU where there is one.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Processor cores to use. Default: all.")]
ChosenBy = Annotated[
    str, typer.Option("--metric", help="What is chosen by: auto (the loss), accuracy, macro_f1, mae, ...")
]
Licence = Annotated[
    str, typer.Option(help="Models that auto may choose: free (none that is non-commercial or gated), or any.")
]
Precision = Annotated[
    str,
    typer.Option(help="Features in float32, bfloat16, int8; auto: the faster of the first two that answers alike."),
]
Threshold = Annotated[
    str | None, typer.Option(help="Of two classes: the probability from which on --positive is answered.")
]
Recall = Annotated[
    str | None, typer.Option(help="Of two classes: how much of --positive is to be found; chooses the threshold.")
]
Positive = Annotated[str | None, typer.Option(help="Class of --threshold or --recall. Default: the rarer.")]
Abstain = Annotated[
    str | None, typer.Option(help="Accuracy of what is answered, 0.95 say: else it says that it is unsure.")
]
Coverage = Annotated[
    str | None, typer.Option(help="Share of inputs whose class is in the set given, or number in its interval.")
]
PerClass = Annotated[bool, typer.Option("--per-class", help="--coverage is reached in each class.")]
TASK = "auto, classification, multilabel, regression or answering."


def columns_of(  # noqa: PLR0913 - one argument an option
    *,
    text: list[str] | None = None,
    text2: str | None = None,
    image: str | None = None,
    label: str | None = None,
    labels: str | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    image_root: str | None = None,
    class_folders: str | None = None,
    group: str | None = None,
) -> Columns:
    """The columns that the options name."""
    return Columns(
        text=tuple(text) if text else None,
        text2=text2,
        image=image,
        label=label,
        labels=names_in(labels),
        separator=separator,
        encoding=encoding,
        delimiter=delimiter,
        image_root=image_root,
        class_folders=class_folders,
        group=group,
    )


def names_in(written: str | None) -> tuple[str, ...] | None:
    """Names with commas between them; None where there are none."""
    return None if written is None else tuple(name.strip() for name in written.split(",") if name.strip())


def share_or_path(value: str) -> float | str:
    """What --test says."""
    try:
        return float(value)
    except ValueError:
        return value


@contextmanager
def extra(name: str) -> Iterator[None]:
    """While that is imported which an extra of headstart's installs; raises UserError where it is missing."""
    try:
        yield
    except ImportError as error:
        if error.name is None or error.name.startswith("headstart"):
            raise
        raise UserError(f"{error.name} is missing", fix=f"pip install 'headstart[{name}]'") from None


def bars() -> Progress:
    """What goes on, for people."""
    from headstart.progress import Bars

    return Bars()


def standard_input(encoding: str | None = None) -> str:
    """All of it, as text."""
    from headstart.inputs.text import read_stream

    return read_stream(sys.stdin, encoding)


def show(value: dict[str, Any], as_json: bool, tell: Callable[[dict[str, Any]], str]) -> None:
    """Print a result, as JSON or in lines."""
    text = places.as_json(value, indent=None) if as_json else tell(terminal.plainly(value)) + "\n"
    streams.write_result(places.as_utf8(text))
