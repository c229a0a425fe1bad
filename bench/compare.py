"""Claim: with a pre-trained model a few labels do what training from scratch needs many times as many for.

    python bench/compare.py FOLDER_OR_TABLE ... [--budget 10m] [--model NAME] [--out FOLDER]

`hs.compare` on each of the data, one after the other: its table, its sentence, and whether it ended in its budget. Wall
seconds; what was made before is taken from the cache. With --out, its folders (charts, page) are written there.
"""

import tempfile
import time
from pathlib import Path

from common import arguments, asked, small_models, texts


def small(work: Path) -> list[object]:
    small_models().small_text_model("bert", work / "bert")
    return [texts(work / "few.csv", 60), "--model", work / "bert", "--budget", "20s", "--seeds", 1]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--budget", default="10m")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    with asked(parser, small) as options, tempfile.TemporaryDirectory() as work:
        import headstart as hs

        for data in options.data:
            begun, out = time.perf_counter(), Path(options.out or work) / f"{Path(data).stem}.compare"
            found = hs.compare(data, model=options.model, budget=options.budget, seeds=options.seeds, out=out)
            seconds = time.perf_counter() - begun
            print(found)
            print(f"ended after {seconds:.0f} s of {found.budget:.0f} s: {seconds <= found.budget}", flush=True)


if __name__ == "__main__":
    main()
