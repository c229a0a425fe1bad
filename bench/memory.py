"""Claim: peak memory does not grow with the data: 100,000 photos take at most 300 MB more than 1,000.

    python bench/memory.py [DATA] [--sizes 1000 100000]      (DATA: class folders; default: the packaged textile photos)

The photos of DATA under as many names as asked for, each made distinct by a few bytes behind the end of the image, so
that every one is decoded and encoded. Each size is a whole `headstart fit` from an empty cache; peak resident memory
as the kernel counts it. Takes 7 GB of disk and about eight minutes on two cores.
"""

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def packaged() -> Path:
    spec = importlib.util.find_spec("conformal_clip_data")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install conformal-clip-data")
    return Path(spec.origin).parent / "data" / "textile_images" / "simulated"


def copies(data: Path, n: int, into: Path) -> None:
    photos = sorted(path for path in data.glob("*/*") if path.is_file())
    for number in range(n):
        photo = photos[number % len(photos)]
        folder = into / photo.parent.name
        folder.mkdir(exist_ok=True)
        (folder / f"{number:06d}{photo.suffix}").write_bytes(photo.read_bytes() + number.to_bytes(8, "little"))


parser = argparse.ArgumentParser()
parser.add_argument("data", nargs="?", type=Path, default=None)
parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 100_000])
options = parser.parse_args()

peak = 0.0
for size in options.sizes:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "data").mkdir()
        copies(options.data or packaged(), size, folder / "data")
        before = peak
        start = time.perf_counter()
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "headstart",
                "fit",
                folder / "data",
                "--model",
                "efficientnet_lite0",
                "--how",
                "probe",
                "--out",
                folder / "model",
                "--json",
            ],
            env={**os.environ, "HEADSTART_CACHE": str(folder / "cache")},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # of the largest child so far
        told = json.loads(done.stdout)
        print(
            f"{size:7d} photos  {peak:6.0f} MB ({peak - before:+.0f})  {seconds:6.1f} s  {told['seconds']}", flush=True
        )
