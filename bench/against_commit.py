"""The speed of this checkout against another commit's, pair by pair: first fit, second fit, reading.

    python bench/against_commit.py a93ba84 [--pairs 7]

Both run in this environment, one after the other, the order changed from pair to pair, on the textile photos that a
package ships and a table of 100,000 texts made here. Prints the median of the ratios, and the lowest and highest. A
ratio above 1 says that this checkout is slower.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
READING = "import sys; from headstart.data import check, read; check(read(sys.argv[1]))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--photos", type=int, default=300, help="of each class")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        other = work / "other"
        subprocess.run(["git", "-C", HERE, "worktree", "add", "--detach", "-q", other, asked.commit], check=True)
        try:
            photos, table = some_photos(work / "photos", asked.photos), many_texts(work / "texts.csv")
            for name, run in measured(work, photos, table).items():
                compare(name, run, HERE / "src", other / "src", asked.pairs)
        finally:
            subprocess.run(["git", "-C", HERE, "worktree", "remove", "--force", other], check=True)


def measured(work: Path, photos: Path, table: Path) -> dict[str, Callable[[Path], float]]:
    """What is timed, by name: the source folder -> seconds."""

    def fit(source: Path, cache: Path) -> float:
        out = work / "model"
        shutil.rmtree(out, ignore_errors=True)
        command = ["-m", "headstart", "fit", photos, "--how", "probe", "--model", "efficientnet_lite0", "--out", out]
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

    def reading(data: Path) -> Callable[[Path], float]:
        return lambda source: seconds(source, work / "unused", ["-c", READING, data])

    return {"first fit": first, "second fit": second, "photos read": reading(photos), "table read": reading(table)}


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
    subprocess.run([sys.executable, *command], env=environment, check=True, capture_output=True, cwd=source.parent)
    return time.perf_counter() - begun


def some_photos(folder: Path, of_a_class: int) -> Path:
    spec = importlib.util.find_spec("conformal_clip_data")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install conformal-clip-data")
    for group in sorted((Path(spec.origin).parent / "data" / "textile_images" / "simulated").iterdir()):
        (folder / group.name).mkdir(parents=True)
        for photo in sorted(group.glob("*.jpg"))[:of_a_class]:
            shutil.copy(photo, folder / group.name)
    return folder


def many_texts(table: Path) -> Path:
    with table.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        file.writelines(f"this is text {i} of {i * i % 977} and {i * 31 % 101},class {i % 7}\n" for i in range(100_000))
    return table


if __name__ == "__main__":
    main()
