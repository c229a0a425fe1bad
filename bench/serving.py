"""Claim: a service that asks about one text or one photo at a time waits for the model, not for headstart.

    python bench/serving.py TEXTS.csv PHOTOS_FOLDER [--calls 30]

Fits a probe on each, then asks about one at a time; the median of the calls after the first, in milliseconds, beside
sentence-transformers and timm with torch in the same process, without a head, where they are installed.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from common import arguments, asked, installed, photos, texts

import headstart as hs
from headstart.pretrained.from_timm import timm


def small(work: Path) -> list[object]:
    return [texts(work / "texts.csv", 30), photos(work / "photos", 4), "--calls", 3]


def said(name: str, ask: Callable[[int], object], calls: int) -> None:
    """One call after the other, of which the first opens things."""
    taken = []
    for call in range(calls + 1):
        start = time.perf_counter()
        ask(call)
        taken.append(1000 * (time.perf_counter() - start))
    print(f"{name:32} first {taken[0]:7.1f} ms, then {statistics.median(taken[1:]):7.1f} ms a call", flush=True)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("texts", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--calls", type=int, default=30)
    with asked(parser, small) as options, tempfile.TemporaryDirectory() as work:
        about_texts = hs.fit(options.texts, how="probe", out=f"{work}/texts")
        about_photos = hs.fit(options.photos, model="efficientnet_lite0", how="probe", out=f"{work}/photos")
        files = sorted(map(str, options.photos.rglob("*.jpg")))
        said("headstart, a text", lambda n: about_texts.predict(f"where is my card {n}"), options.calls)
        said("headstart, a photo", lambda n: about_photos.predict(files[n % len(files)]), options.calls)
        if installed("sentence_transformers", needed_for="sentence-transformers"):
            from sentence_transformers import SentenceTransformer

            model = SentenceTransformer(f"{work}/texts", device="cpu")
            said("sentence-transformers, a text", lambda n: model.encode(f"where is my card {n}"), options.calls)
        said("timm and torch, a photo", plain_timm(files), options.calls)


def plain_timm(files: list[str]) -> Callable[[int], object]:
    """The architecture with random weights: they take as long."""
    import torch
    from PIL import Image

    model = timm.create_model("efficientnet_lite0", pretrained=False, num_classes=0).eval()
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(model))

    def ask(call: int) -> object:
        with torch.inference_mode(), Image.open(files[call % len(files)]) as photo:
            return model(prepare(photo.convert("RGB"))[None])

    return ask


if __name__ == "__main__":
    main()
