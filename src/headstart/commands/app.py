"""The command line: one thin function a command. Each imports what it calls, so that --help loads nothing heavy."""

from __future__ import annotations

import atexit
import gc
import io
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.commands import streams
from headstart.errors import UserError, plain, shortened
from headstart.progress import note
from headstart.report import terminal
from headstart.storage import places
from headstart.values import Columns

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Adapt a pre-trained model to your own images or texts, with an honest score.",
)

_INTERRUPTED = 130

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def main() -> None:
    """Exit codes: 0 done, 2 the input is wrong (one or two lines), 130 interrupted, 1 anything else."""
    # Importing torch makes a million objects that stay. Looking through them for garbage costs half a second while they
    # are made and one at the end, where the process gives everything back anyway.
    gc.set_threshold(200_000)
    # Threads that wait for each other spin for a moment, then sleep. With libgomp's own long spinning, training is
    # eleven times slower beside another busy process (docs/tuning.md); torch reads this when it is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")
    atexit.register(gc.freeze)
    streams.secure()
    UserError.in_python = False
    try:
        try:
            app()
        finally:
            streams.write_result(b"")  # what typer printed itself, as for --help, may still be held back
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # typer makes Ctrl-C an exit and says nothing
            sys.stderr.write("interrupted; what was encoded is kept, the same command goes on from there\n")
        raise
    except Exception as error:
        if os.environ.get("HEADSTART_TRACEBACK"):
            raise
        code, said = told_as(error)
        sys.stderr.write(f"error: {said}\n")
        raise SystemExit(code) from None


def told_as(error: Exception) -> tuple[int, str]:
    """The exit code of an error, and what a person reads of it: one or two lines."""
    if isinstance(error, UserError):
        return 2, str(error)
    if isinstance(error, streams.LostOutputError):
        return 1, str(error)
    if isinstance(error, OSError) and error.strerror:
        where = plain(": ".join(str(name) for name in (error.filename, error.filename2) if name is not None))
        return 2, f"{shortened(where)}: {error.strerror}" if where else _working_folder_gone() or error.strerror
    if isinstance(error, MemoryError):
        return 1, "there is not enough memory for this"
    reason = plain(" ".join(f"{type(error).__name__}: {error}".split()))
    return 1, f"headstart failed, please report this: {shortened(reason)}\nHEADSTART_TRACEBACK=1 shows where"


def _working_folder_gone() -> str:
    try:
        os.getcwd()
    except OSError:
        return "the working folder is gone: change to another"
    return ""


@app.command()
def fit(  # noqa: PLR0913 - one argument an option
    data: Annotated[str, typer.Argument(help="Folder of class folders; table; or questions (a table, SQuAD's JSON).")],
    task: Annotated[str, typer.Option(help="auto, classification or answering.")] = "auto",
    model: Annotated[str, typer.Option(help="auto, a catalog or hub name, or a folder.")] = "auto",
    how: Annotated[str, typer.Option(help="auto, probe, tune, lora or full.")] = "auto",
    budget: Annotated[str, typer.Option(help="Time from reading to saving, for example 90s, 2m, 1h.")] = "2m",
    test: Annotated[str, typer.Option(help="Share kept for the test, or a path with test examples.")] = "0.2",
    out: Annotated[Path | None, typer.Option(help="Folder to save to. Default: the data's name + .headstart.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another split.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace a saved folder.")] = False,
    text: Annotated[str | None, typer.Option(help="Column of texts.")] = None,
    image: Annotated[str | None, typer.Option(help="Column of image paths.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of labels.")] = None,
    track: Annotated[
        str | None, typer.Option(help="Log to mlflow, mlflow:URI, tensorboard or tensorboard:FOLDER.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Adapt a pre-trained model to labelled data and save it with its score."""
    streams.outlive_terminal()
    from headstart.api import fit as run

    fitted = run(
        data,
        task=task,
        model=model,
        how=how,
        budget=budget,
        test=_share(test),
        seed=seed,
        out=out,
        force=force,
        columns=Columns(text=text, image=image, label=label),
        track=track,
        progress=_progress(as_json),
    )
    _print_saved(fitted.summary, as_json, fitted.task.words.fitted)


@app.command()
def rank(
    data: Annotated[str, typer.Argument(help="Folder of class folders, or a table (csv, tsv, jsonl, parquet).")],
    models: Annotated[str | None, typer.Option(help="Names or folders, with commas. Default: those at hand.")] = None,
    budget: Annotated[str, typer.Option(help="Time for all models together, for example 90s, 2m, 1h.")] = "2m",
    task: Annotated[str, typer.Option(help="auto or classification.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="As for the fit that follows: its test part is not looked at.")] = 0,
    text: Annotated[str | None, typer.Option(help="Column of texts.")] = None,
    image: Annotated[str | None, typer.Option(help="Column of image paths.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of labels.")] = None,
    as_json: Json = False,
) -> None:
    """Say which pre-trained model suits the data, from one pass of each over a sample."""
    columns = Columns(text=text, image=image, label=label)
    names = None if models is None else [name.strip() for name in models.split(",") if name.strip()]
    from headstart.api import rank as run
    from headstart.choose.ranking import as_json as row_by_row

    found = run(data, models=names, task=task, budget=budget, seed=seed, columns=columns, progress=_progress(as_json))
    _print(row_by_row(found), as_json, terminal.ranking)


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="A saved folder.")],
    inputs: Annotated[list[str], typer.Argument(help="Image files or folders; or texts, with - for standard input.")],
    top: Annotated[int, typer.Option(min=1, help="Classes listed for each input.")] = 5,
    as_json: Json = False,
) -> None:
    """Ask a saved model about images or texts."""
    from headstart.model import load

    wanted: list[str] = []
    for value in inputs:
        wanted += _lines(_standard_input()) if value == "-" else [value]
    words = (loaded := load(model)).task.words
    rows = [words.row(p) for p in loaded.predict(wanted, top=top)]
    _print({"model": model, "predictions": rows}, as_json, lambda told: terminal.predictions(told, words.line))
    if any("error" in row for row in rows):
        raise SystemExit(2)


@app.command()
def answer(
    model: Annotated[str, typer.Argument(help="A folder or a hub name of a model that answers questions.")],
    question: Annotated[str, typer.Argument(help="In plain words.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="More texts.")] = None,
    context: Annotated[
        list[Path] | None, typer.Option(help="Text file that the answer is looked for in; - for standard input.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Answers, at most.")] = 3,
    as_json: Json = False,
) -> None:
    """Find the answer to a question in texts, with its place and how sure it is."""
    from headstart.inputs.text import read_text
    from headstart.model import load

    files = [*(context or ()), *(more or ())]
    if not files:
        raise UserError("no text to look in", where="--context", fix="name a file: --context manual.txt")
    texts = [_standard_input() if str(f) == "-" else read_text(f) for f in files]
    opened = load(model, task="answering")
    with _progress(as_json).step("read"):
        found = opened.answer(question, texts, top=top)
    rows = [opened.task.words.row(a) for a in found]
    rows = [row | ({"context": str(files[row["context"]])} if row["answer"] else {}) for row in rows]
    _print({"model": model, "question": question, "answers": rows}, as_json, terminal.answers)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A saved folder.")],
    data: Annotated[str, typer.Argument(help="Data as for `fit`: labelled, or questions with contexts and answers.")],
    as_json: Json = False,
) -> None:
    """Score a saved model on other data of its task; classes are matched by name."""
    from dataclasses import asdict

    from headstart.model import load

    loaded = load(model)
    found = loaded.evaluate(data, progress=_progress(as_json))
    matched = {"missing_classes": list(found.missing), "extra_classes": list(found.extra)} if loaded.classes else {}
    told = {
        "model": model,
        **found.scores.to_json(),
        **matched,
        "n_rejected": sum(f.rejected for f in found.findings),
        "findings": [asdict(f) for f in found.findings],
        "notes": list(found.notes),
    }
    _print(told, as_json, loaded.task.words.scored)


@app.command()
def models(
    words: Annotated[list[str] | None, typer.Argument(help="A name, shown in full; or words to search for.")] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Fetch the weights of the named model and verify them.")] = False,
    as_json: Json = False,
) -> None:
    """List the known pre-trained models, show one, or fetch it."""
    from headstart.pretrained import catalog

    name = " ".join(words or ())
    card = catalog.find(name)
    if pull:
        _pull(name, card)
    if card is not None:
        _print(_card_row(card), as_json, terminal.model)
        return
    near = catalog.nearest(name)
    hint = f"; did you mean {near}?" if near else ""
    rows = [_card_row(card) for card in catalog.models(words or ())]
    _print({"models": rows, "hint": hint}, as_json, terminal.models)


def _card_row(card: Any) -> dict[str, Any]:
    from dataclasses import asdict

    path = card.path
    return {**asdict(card), "at_hand": path is not None, "path": path and str(path), "install": card.install}


def _pull(name: str, card: Any) -> None:
    if card is None:
        raise UserError(f"no model of the catalog: {name!r}", where="--pull", fix="headstart models lists them")
    from headstart.pretrained.hub import pull

    pull(card)  # with a bar on a terminal


@app.command()
def cache(
    prune: Annotated[
        str | None, typer.Option(help="Remove what was not used for longest, down to this size: 0, 500MB, 2GB.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what is kept, and remove what is not needed."""
    from dataclasses import asdict

    from headstart.encode import pruning as kept
    from headstart.encode import store
    from headstart.storage.places import cache_folder

    gone = [] if prune is None else kept.prune(most_bytes=_bytes(prune))
    tables, left = list(store.tables()), list(kept.left())
    told = {
        "folder": str(cache_folder()),
        "bytes": sum(t.bytes for t in tables) + sum(f.bytes for f in left),
        "tables": [asdict(t) for t in tables],
        "fits": [asdict(f) for f in left],
        "removed": [asdict(t) for t in gone],
        "models_bytes": kept.models_bytes(),
    }
    _print(told, as_json, terminal.cache)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what this machine has and what can run on it."""
    from headstart.commands.doctor import examine

    _print(examine(), as_json, terminal.pairs)


def _share(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def _bytes(size: str) -> int:
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "B": 1}
    typed = size.strip().upper()
    unit = next((u for u in units if typed.endswith(u)), "")
    try:
        number = float(typed.removesuffix(unit)) * units.get(unit, 1)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise UserError(f"not a size: {size!r}", where="--prune", fix="for example 0, 500MB or 2GB")
    return int(number)


def _progress(as_json: bool) -> Any:
    from headstart.progress import Bars

    return Bars()


def _standard_input() -> str:
    from headstart.inputs.text import read_stream

    return read_stream(sys.stdin)


def _lines(text: str) -> list[str]:
    """Not `splitlines`, which takes a dozen other characters for line ends too."""
    return [line.rstrip("\n") for line in io.StringIO(text, newline=None)]


def _print(value: dict[str, Any], as_json: bool, tell: Callable[[dict[str, Any]], str]) -> None:
    text = places.as_json(value, indent=None) if as_json else tell(terminal.plainly(value)) + "\n"
    streams.write_result(places.as_utf8(text))


def _print_saved(value: dict[str, Any], as_json: bool, tell: Callable[[dict[str, Any]], str]) -> None:
    """As `_print`, of a model that is saved: its folder says all of it again, so losing it is no failure."""
    try:
        _print(value, as_json, tell)
    except streams.LostOutputError as lost:
        note(f"{lost}; the model is saved")
