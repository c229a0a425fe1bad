"""Claim: a second fit on the same data computes no feature and takes under a tenth of the first.

    python bench/second_fit.py [DATA [MODEL]]      (default: the packaged textile photos, efficientnet_lite0)

Whole processes, from an empty cache of their own; wall seconds.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def timed(data: str, model: str, seed: int, cache: str) -> tuple[float, dict]:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        out = ["--model", model, "--how", "probe", "--out", f"{folder}/model", "--seed", str(seed), "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "headstart", "fit", data, *out],
            env={**os.environ, "HEADSTART_CACHE": cache},
            stdout=subprocess.PIPE,
            check=True,
        )
        return time.perf_counter() - start, json.loads(done.stdout)


def packaged() -> str:
    spec = importlib.util.find_spec("conformal_clip_data")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install conformal-clip-data")
    return str(Path(spec.origin).parent / "data" / "textile_images" / "simulated")


data = sys.argv[1] if len(sys.argv) > 1 else packaged()
model = sys.argv[2] if len(sys.argv) > 2 else "efficientnet_lite0"
with tempfile.TemporaryDirectory() as cache:
    first, _ = timed(data, model, 0, cache)
    second, told = timed(data, model, 1, cache)
print(f"first  {first:7.2f} s")
print(f"second {second:7.2f} s  ({second / first:.1%} of the first; {told['cached']:.0%} of the features known)")
print(f"accuracy {told['accuracy']:.3f}, seconds {told['seconds']}")
