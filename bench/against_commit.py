"""Claim: this checkout is no slower than another commit: first fit, second fit, reading, pair by pair.

    python bench/against_commit.py a93ba84 [--pairs 7] [--only "second fit" ...]

Both run in this environment, one after the other, the order changed from pair to pair, on the textile photos that a
package ships and a table of 100,000 texts made here. Prints the median of the ratios, and the lowest and highest. A
ratio above 1 says that this checkout is slower. COMMIT may be a folder with such a checkout, too.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common import HERE, arguments, asked, photos, small_photo_model

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


def measured(work: Path, data: Path, table: Path, model: str) -> dict[str, Callable[[Path], float]]:
    """What is timed, by name: the source folder -> seconds."""

    def fit(source: Path, cache: Path) -> float:
        out = work / "model"
        shutil.rmtree(out, ignore_errors=True)
        command = ["-m", "headstart", "fit", data, "--how", "probe", "--model", model, "--out", out]
        return seconds(source, cache, command)

    def first(source: Path) -> float:
        cache = work / "empty"
        shutil.rmtree(cache, ignore_errors=True)
        return fit(source, cache)

    def second(source: Path) -> float:
        cache = work / f"cache of {source.parent.name}"
        if not cache.exists():
            fit(source, cache)
        return fit(source, cache)

    def reading(read: Path) -> Callable[[Path], float]:
        return lambda source: seconds(source, work / "unused", ["-c", READING, read])

    return {"first fit": first, "second fit": second, "photos read": reading(data), "table read": reading(table)}


def compare(name: str, run: Callable[[Path], float], ours: Path, theirs: Path, pairs: int) -> None:
    run(ours), run(theirs)  # files are in the system's cache from here on
    here, there = [], []
    for number in range(pairs):
        for source, times in ((ours, here), (theirs, there))[:: 1 if number % 2 else -1]:
            times.append(run(source))
    ratios = [a / b for a, b in zip(here, there, strict=True)]
    print(
        f"{name:12} {statistics.median(here):6.2f} s against {statistics.median(there):6.2f} s, "
        f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}, {pairs} pairs)",
        flush=True,
    )


def seconds(source: Path, cache: Path, command: list[str | Path]) -> float:
    environment = {**os.environ, "PYTHONPATH": str(source), "HEADSTART_CACHE": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # installed code is not compiled anew in each process
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, cwd=source.parent
    )
    took = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(done.stderr)
    return took


def many_texts(table: Path, n: int) -> Path:
    with table.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        file.writelines(f"this is text {i} of {i * i % 977} and {i * 31 % 101},class {i % 7}\n" for i in range(n))
    return table


def small(work: Path) -> list[object]:
    """This very source, copied, as the other side."""
    shutil.copytree(HERE / "src", work / "copy" / "src", ignore=shutil.ignore_patterns("__pycache__"))
    model = small_photo_model(work / "model" / "model.onnx")
    few = ["--pairs", 1, "--photos", 4, "--texts", 200, "--only", "first fit", "second fit", "table read"]
    return [work / "copy", *few, "--model", model]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("commit")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--photos", type=int, default=300, help="of each class")
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--only", nargs="+", help="of first fit, second fit, photos read, table read")
    with (
        asked(parser, small) as options,
        tempfile.TemporaryDirectory() as folder,
        checkout(options.commit, Path(folder)) as other,
    ):
        work = Path(folder)
        data, table = photos(work / "photos", options.photos), many_texts(work / "texts.csv", options.texts)
        for name, run in measured(work, data, table, options.model).items():
            if name in (options.only or [name]):
                compare(name, run, HERE / "src", other / "src", options.pairs)


if __name__ == "__main__":
    main()
