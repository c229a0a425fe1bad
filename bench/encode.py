"""Claim: encoding takes at most 1.25 times what preparing the examples and the forward pass take apart.

    python bench/encode.py [DATA] [--model NAME] [--most N]      (default: the packaged textile photos)

Preparing (reading, decoding and resizing photos; tokenising texts) and the forward pass both keep every core busy, so
together they cannot take less than the sum of their times apart. That sum is the limit. Each part is run twice in one
process and the faster run counts; `encode` writes to a store of its own, which is part of its time. Below the ratio
stands where one core's time goes.
"""

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

PACKAGED = importlib.util.find_spec("conformal_clip_data")

parser = argparse.ArgumentParser()
parser.add_argument("data", nargs="?")
parser.add_argument("--model", default="auto")
parser.add_argument("--most", type=int, default=2000, help="examples, spread over the data")
options = parser.parse_args()
if options.data is None:
    if PACKAGED is None or PACKAGED.origin is None:
        raise SystemExit("pip install conformal-clip-data, or name a folder")
    options.data = str(Path(PACKAGED.origin).parent / "data" / "textile_images" / "simulated")


def fastest(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def photo_profile(inputs: list[str], preparation: object) -> dict[str, float]:
    """Seconds of one core for one photo, step by step."""
    from headstart.inputs.image import open_image, prepare, read_bytes, wanted_side

    contents = [read_bytes(path) for path in inputs]
    near = wanted_side(preparation)
    opened = [open_image(path, content=content, near=near) for path, content in zip(inputs, contents, strict=True)]
    steps = {
        "read": lambda: [read_bytes(path) for path in inputs],
        "decode": lambda: [open_image(p, content=c, near=near) for p, c in zip(inputs, contents, strict=True)],
        "resize and crop": lambda: [prepare(image, preparation) for image in opened],
    }
    return {name: fastest(work) / len(inputs) for name, work in steps.items()}


with tempfile.TemporaryDirectory() as cache:
    os.environ["HEADSTART_CACHE"] = cache
    from headstart.data.check import check
    from headstart.data.read import read
    from headstart.encode.encode import _batches, encode
    from headstart.encode.engines import choose_precision, open_engine
    from headstart.pretrained.catalog import DEFAULT
    from headstart.pretrained.load import load

    dataset = check(read(options.data))
    picked = np.unique(np.linspace(0, len(dataset) - 1, min(options.most, len(dataset))).astype(int))
    inputs, digests = [dataset.inputs[i] for i in picked], dataset.digests[picked]
    name = DEFAULT[dataset.kind] if options.model == "auto" else options.model
    backbone = load(name, kind=dataset.kind)
    rows = np.arange(len(inputs))
    precision = choose_precision(backbone, list(_batches(inputs, rows[:32], backbone, 2)))
    engine = open_engine(backbone, precision)

    batches = list(_batches(inputs, rows, backbone, 2))
    preparing = fastest(lambda: list(_batches(inputs, rows, backbone, 2)))
    forward = fastest(lambda: list(engine(batches)))
    fresh = iter(range(9))

    def whole() -> None:
        os.environ["HEADSTART_CACHE"] = f"{cache}/{next(fresh)}"
        os.makedirs(os.environ["HEADSTART_CACHE"])
        os.symlink(f"{cache}/engines", os.environ["HEADSTART_CACHE"] + "/engines")
        encode(inputs, digests, backbone)

    together = fastest(whole)
    n = len(inputs)
    print(f"{n} {dataset.kind}s, {name}, {precision}")
    print(f"preparing alone   {preparing:6.2f} s   {n / preparing:7.0f} a second")
    print(f"forward alone     {forward:6.2f} s   {n / forward:7.0f} a second")
    print(f"encode            {together:6.2f} s   {n / together:7.0f} a second")
    print(f"ratio to the sum  {together / (preparing + forward):6.2f}     (limit 1.25)")
    if dataset.kind == "image":
        cores = os.cpu_count() or 1
        profile = photo_profile(inputs[:300], backbone.preparation)
        profile["forward"] = forward * cores / n
        profile["all else"] = max(0.0, together * cores / n - sum(profile.values()))
        for step, seconds in profile.items():
            print(f"  {step:16} {seconds * 1e3:6.2f} ms of a core a photo")
