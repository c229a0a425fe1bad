"""Claim: this checkout is no slower, and takes no more memory, than another commit, pair by pair.

    python bench/against_commit.py a93ba84 [--pairs 7] [--only "second fit" ...]

A first fit, a second fit, a step of tuning, an answer, reading. Both run in this environment, in turn, the order
changed from pair to pair, on the textile photos that a package ships and texts that are made here. Prints the median of
the ratios of seconds, the lowest and highest of them, and the same of the processes' peak memory. A ratio above 1 says
that this checkout takes more. COMMIT may be a folder with such a checkout, too.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from common import HERE, arguments, asked, photos, small_photo_model, small_text_model, texts

READING = """
import sys
from headstart.data.check import check
from headstart.data.read import read
try:
    from headstart.tasks.table import TASKS
    from headstart.values import Request
    given = Request(sys.argv[1]), TASKS
except ImportError:  # before there were tasks
    given = sys.argv[1:]
check(read(*given))
"""


READER = """
import sys
import headstart.pretrained.from_transformers  # before transformers: torchvision may have no operators here
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
from headstart.pretrained.find import find
path, folder = find(sys.argv[1]).path, sys.argv[2]
AutoModelForQuestionAnswering.from_pretrained(path, num_labels=2).save_pretrained(folder)
AutoTokenizer.from_pretrained(path).save_pretrained(folder)
"""


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    seconds: float
    megabytes: float  # at its peak
    said: str  # on standard output


@contextmanager
def checkout(commit: str, work: Path) -> Iterator[Path]:
    """A folder with the other side."""
    if Path(commit).is_dir():
        yield Path(commit)
        return
    other = work / "other"
    subprocess.run(["git", "-C", HERE, "worktree", "add", "--detach", "-q", other, commit], check=True)
    try:
        yield other
    finally:
        subprocess.run(["git", "-C", HERE, "worktree", "remove", "--force", other], check=True)


def measured(work: Path, options: argparse.Namespace) -> dict[str, Callable[[Path], Cost]]:
    """What is measured, by name: the source folder -> what it took."""
    data, table = photos(work / "photos", options.photos), many_texts(work / "texts.csv", options.texts)
    few, reader = texts(work / "few.csv", options.tuned_on), reader_of(options.text_model, work / "reader")
    long = work / "long.txt"
    long.write_text("\n\n".join(f"The tower of town {i} was built in {1000 + i}." for i in range(options.sentences)))

    def fit(source: Path, cache: Path) -> Cost:
        out = work / "model"
        shutil.rmtree(out, ignore_errors=True)
        how = ["--how", "probe", "--model", options.model, "--out", out]
        return cost(source, cache, ["-m", "headstart", "fit", data, *how])

    def emptied(name: str) -> Path:
        shutil.rmtree(work / name, ignore_errors=True)
        return work / name

    def second(source: Path) -> Cost:
        cache = work / f"cache of {source.parent.name}"
        if not cache.exists():
            fit(source, cache)
        return fit(source, cache)

    def tuned(source: Path) -> Cost:
        """By the step: how many there are, the budget decides."""
        out = work / "model"
        shutil.rmtree(out, ignore_errors=True)
        how = ["--how", "tune", "--budget", options.budget, "--model", options.text_model, "--out", out, "--json"]
        whole = cost(source, emptied("empty"), ["-m", "headstart", "fit", few, *how])
        told = json.loads(whole.said)
        steps = sum(run["steps"] for run in [*told["tuning"]["trials"], told["tuning"]["recipe"]])
        return replace(whole, seconds=told["seconds"]["tune"] / steps)

    def reading(read: Path) -> Callable[[Path], Cost]:
        return lambda source: cost(source, work / "unused", ["-c", READING, read])

    asked = ["-m", "headstart", "answer", reader, "When was the tower of town 7 built?", "--context", long]
    return {
        "first fit": lambda source: fit(source, emptied("empty")),
        "second fit": second,
        "tune step": tuned,
        "answer": lambda source: cost(source, work / f"answers of {source.parent.name}", asked),
        "photos read": reading(data),
        "table read": reading(table),
    }


def reader_of(model: str, folder: Path) -> Path:
    """A model for questions of that backbone, its head as it begins: what it answers means nothing, how fast does.

    Made in a process of its own: one that is forked from here counts this one's memory as its own.
    """
    subprocess.run([sys.executable, "-c", READER, model, folder], check=True, stdout=subprocess.DEVNULL)
    return folder


def compare(name: str, run: Callable[[Path], Cost], ours: Path, theirs: Path, pairs: int) -> None:
    run(ours), run(theirs)  # files are in the system's cache from here on
    here, there = [], []
    for number in range(pairs):
        for source, costs in ((ours, here), (theirs, there))[:: 1 if number % 2 else -1]:
            costs.append(run(source))
    for what, unit, mine, other in (
        ("", "s", [c.seconds for c in here], [c.seconds for c in there]),
        (", peak", "MB", [c.megabytes for c in here], [c.megabytes for c in there]),
    ):
        ratios = [a / b for a, b in zip(mine, other, strict=True)]
        print(
            f"{name + what:18} {statistics.median(mine):7.3f} {unit} against {statistics.median(other):7.3f} {unit}, "
            f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}, {pairs} pairs)",
            flush=True,
        )


def cost(source: Path, cache: Path, command: list[str | Path]) -> Cost:
    environment = {**os.environ, "PYTHONPATH": str(source), "HEADSTART_CACHE": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # installed code is not compiled anew in each process
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=said, stderr=complained, cwd=source.parent
        )
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - begun
        process.returncode = status
        for file in (said, complained):
            file.seek(0)
        if status:
            raise SystemExit(complained.read().decode())
        return Cost(took, used.ru_maxrss / 1024, said.read().decode())


def many_texts(table: Path, n: int) -> Path:
    with table.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        file.writelines(f"this is text {i} of {i * i % 977} and {i * 31 % 101},class {i % 7}\n" for i in range(n))
    return table


def small(work: Path) -> list[object]:
    """This very source, copied, as the other side."""
    shutil.copytree(HERE / "src", work / "copy" / "src", ignore=shutil.ignore_patterns("__pycache__"))
    model = small_photo_model(work / "model" / "model.onnx")
    small_text_model(work / "bert")
    few = ["--pairs", 1, "--photos", 4, "--texts", 200, "--tuned-on", 30, "--sentences", 3]
    only = ["--only", "first fit", "second fit", "answer", "table read"]
    return [work / "copy", *few, *only, "--model", model, "--text-model", work / "bert"]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("commit")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--photos", type=int, default=300, help="of each class")
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--budget", default="30s", help="of the tuned fit")
    parser.add_argument("--tuned-on", type=int, default=200, help="texts of the tuned fit")
    parser.add_argument("--sentences", type=int, default=1000, help="of the text that answers are looked for in")
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--text-model", default="all-MiniLM-L6-v2")
    parser.add_argument("--only", nargs="+", help="of what is measured")
    with (
        asked(parser, small) as options,
        tempfile.TemporaryDirectory() as folder,
        checkout(options.commit, Path(folder)) as other,
    ):
        for name, run in measured(Path(folder), options).items():
            if name in (options.only or [name]):
                compare(name, run, HERE / "src", other / "src", options.pairs)


if __name__ == "__main__":
    main()
