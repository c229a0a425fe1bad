"""The command line. Each command imports what it calls when it runs, so that --help loads nothing heavy."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import Annotated

import typer

from headstart import __version__
from headstart.commands import streams
from headstart.commands.answer import answer
from headstart.commands.cache import cache
from headstart.commands.check import check
from headstart.commands.compare import compare
from headstart.commands.doctor import doctor
from headstart.commands.encode import encode
from headstart.commands.evaluate import evaluate
from headstart.commands.explain import explain
from headstart.commands.export import export
from headstart.commands.fit import fit
from headstart.commands.models import models
from headstart.commands.plan import plan
from headstart.commands.predict import predict
from headstart.commands.rank import rank
from headstart.commands.serve import serve
from headstart.commands.studio import studio
from headstart.errors import UserError, plain, shortened

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

for command in (
    fit,
    check,
    compare,
    rank,
    predict,
    answer,
    explain,
    evaluate,
    export,
    plan,
    encode,
    serve,
    studio,
    models,
    cache,
    doctor,
):
    app.command()(command)

_INTERRUPTED = 130
_GOES_ON = ("fit", "encode", "rank", "compare", "evaluate")  # which keep what they have encoded


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"headstart {__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Say which version this is.")
    ] = False,
) -> None:
    """Adapt a pre-trained model to your own images or texts, with an honest score."""


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
    UserError.for_python = False
    try:
        try:
            app()
        finally:
            streams.write_result(b"")  # what typer printed itself, as for --help, may still be held back
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # typer makes Ctrl-C an exit and says nothing
            goes_on = sys.argv[1:2] in ([name] for name in _GOES_ON) and "--help" not in sys.argv
            more = "; what was encoded is kept, the same command goes on from there" if goes_on else ""
            sys.stderr.write(f"interrupted{more}\n")
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
