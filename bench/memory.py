"""Claim: peak memory does not grow with the data: 100,000 photos take at most 300 MB more than 1,000.

    python bench/memory.py [DATA] [--sizes 1000 100000]      (DATA: class folders; default: the packaged textile photos)

The photos of DATA under as many names as asked for, each made distinct by a few bytes behind the end of the image, so
that every one is decoded and encoded. Each size is a whole `headstart fit` from an empty cache; peak resident memory
as the kernel counts it. Takes 7 GB of disk and about eight minutes on two cores.
"""

import resource
import tempfile
from pathlib import Path

from common import arguments, asked, fit_alone, packaged, small_photo_model


def copies(data: Path, n: int, into: Path) -> Path:
    photos = sorted(path for path in data.glob("*/*") if path.is_file())
    step = max(1, len(photos) // n)  # photos of all classes, however few they are
    for number in range(n):
        photo = photos[number * step % len(photos)]
        folder = into / photo.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:06d}{photo.suffix}").write_bytes(photo.read_bytes() + number.to_bytes(8, "little"))
    return into


def small(work: Path) -> list[object]:
    return ["--sizes", 8, 16, "--model", small_photo_model(work / "model" / "model.onnx")]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=None)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 100_000])
    parser.add_argument("--model", default="efficientnet_lite0")
    with asked(parser, small) as options:
        peak = 0.0
        for size in options.sizes:
            with tempfile.TemporaryDirectory() as folder:
                data = copies(options.data or packaged(), size, Path(folder) / "data")
                seconds, told = fit_alone(data, "--model", options.model, cache=f"{folder}/cache")
            before, peak = peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # of the largest child
            grown = f"{peak:6.0f} MB ({peak - before:+.0f})"
            print(f"{size:7d} photos  {grown}  {seconds:6.1f} s  {told['seconds']}", flush=True)


if __name__ == "__main__":
    main()
