"""Claim: encoding takes at most 1.25 times what preparing the examples and the forward pass take apart.

    python bench/encode.py [DATA] [--model NAME] [--most N]      (default: the packaged textile photos)

Preparing (reading, decoding and resizing photos; tokenising texts) and the forward pass both keep every core busy, so
together they cannot take less than the sum of their times apart. That sum is the limit. Each part is run twice in one
process and the faster run counts; `encode` writes to a store of its own, which is part of its time. Below the ratio
stands where one core's time goes.
"""

import os
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
from common import arguments, asked, packaged, photos, read, small_photo_model

from headstart.backbone import ImagePreparation
from headstart.data.check import check
from headstart.encode.encode import batching_of, encode
from headstart.encode.engines import open_engine
from headstart.encode.precision import choose_precision
from headstart.inputs.image import open_image, prepare, read_bytes, wanted_side
from headstart.pretrained.load import load


def fastest(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def photo_profile(inputs: list[str], preparation: ImagePreparation) -> dict[str, float]:
    """Seconds of one core for one photo, step by step."""
    contents = [read_bytes(path) for path in inputs]
    near = wanted_side(preparation)
    opened = [open_image(path, content=content, near=near) for path, content in zip(inputs, contents, strict=True)]
    steps = {
        "read": lambda: [read_bytes(path) for path in inputs],
        "decode": lambda: [open_image(p, content=c, near=near) for p, c in zip(inputs, contents, strict=True)],
        "resize and crop": lambda: [prepare(image, preparation) for image in opened],
    }
    return {name: fastest(work) / len(inputs) for name, work in steps.items()}


def bench(data: str, model: str, most: int, cache: str) -> None:
    dataset = check(read(data))
    picked = np.unique(np.linspace(0, len(dataset) - 1, min(most, len(dataset))).astype(int))
    inputs, digests = [dataset.inputs[i] for i in picked], dataset.checked_digests[picked]
    kind = dataset.modality.kind
    name = dataset.modality.default_model if model == "auto" else model
    backbone = load(name, kind=kind)
    n, rows, batching = len(inputs), np.arange(len(inputs)), batching_of(inputs, digests, backbone)

    def batches(some: np.ndarray = rows) -> list:
        return list(batching(some))

    precision = choose_precision(backbone, batches(rows[:32]))
    engine, made = open_engine(backbone, precision), batches()
    preparing, forward = fastest(batches), fastest(lambda: list(engine(made)))
    numbers = count()

    def whole() -> None:
        """Into a store that knows the model, and no example."""
        os.environ["HEADSTART_CACHE"] = f"{cache}/{next(numbers)}"
        os.makedirs(os.environ["HEADSTART_CACHE"])
        os.symlink(f"{cache}/engines", os.environ["HEADSTART_CACHE"] + "/engines")
        encode(inputs, digests, backbone)

    together = fastest(whole)
    print(f"{n} {kind}s, {name}, {precision}")
    for what, seconds in {"preparing alone": preparing, "forward alone": forward, "encode": together}.items():
        print(f"{what:17} {seconds:6.2f} s   {n / seconds:7.0f} a second")
    print(f"ratio to the sum  {together / (preparing + forward):6.2f}     (limit 1.25)")
    if kind == "image":
        cores = os.cpu_count() or 1
        profile = photo_profile(inputs[:300], backbone.images)
        profile["forward"] = forward * cores / n
        profile["all else"] = max(0.0, together * cores / n - sum(profile.values()))
        for step, seconds in profile.items():
            print(f"  {step:16} {seconds * 1e3:6.2f} ms of a core a photo")


def small(work: Path) -> list[object]:
    return [photos(work / "photos", 4), "--model", small_photo_model(work / "model" / "model.onnx")]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="?")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--most", type=int, default=2000, help="examples, spread over the data")
    with asked(parser, small) as options, tempfile.TemporaryDirectory() as cache:
        os.environ["HEADSTART_CACHE"] = cache
        bench(options.data or str(packaged()), options.model, options.most, cache)


if __name__ == "__main__":
    main()
