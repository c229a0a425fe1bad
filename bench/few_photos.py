"""Question: does a probe of few photos gain from other views of them (mirrored, cropped) beside the photos themselves?

    python bench/few_photos.py DATA... [--sizes 5 25] [--draws 8]

Accuracy and log loss on the test part, means over draws of so many photos a class: from the photos alone, with their
mirror images, with two crops of 85 %, with all four. A photo's views are in one fold with it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import arguments, asked, drawn, photos, probed, read, small_photo_model
from PIL import Image, ImageOps

from headstart.backbone import Backbone, Features
from headstart.data.check import check
from headstart.data.split import split
from headstart.encode.encode import encode
from headstart.pretrained.catalog import DEFAULT
from headstart.pretrained.load import load

CROP = 0.85  # of each side
WAYS = {"photos alone": (), "mirrored": (0,), "two crops": (1, 2), "mirrored, two crops, a mirrored crop": (0, 1, 2, 3)}


def views(path: str) -> list[Image.Image]:
    photo = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    width, height = photo.size

    def crop(right: float, down: float) -> Image.Image:
        left, top = right * (1 - CROP) * width, down * (1 - CROP) * height
        return photo.crop((int(left), int(top), int(left + CROP * width), int(top + CROP * height)))

    return [ImageOps.mirror(photo), crop(0.5, 0.5), crop(1, 0), ImageOps.mirror(crop(0, 1))]


def encoded(some: list[Image.Image], backbone: Backbone) -> np.ndarray:
    digests = [hashlib.sha256(np.asarray(photo).tobytes()).digest() for photo in some]
    return encode(some, np.stack([np.frombuffer(digest, dtype=np.uint8) for digest in digests]), backbone).matrix[:]


def bench(data: str, sizes: Sequence[int], draws: int, backbone: Backbone) -> None:
    dataset = check(read(data))
    known = encode(dataset.inputs, dataset.checked_digests, backbone)
    parts, matrix, of_views = split(dataset, seed=0), known.matrix[:], {}
    for size in sizes:
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for draw in range(draws):
            rows = drawn(dataset, parts.train, size, draw)
            new = [row for row in rows.tolist() if row not in of_views]
            if new:
                made = encoded([view for row in new for view in views(dataset.inputs[row])], backbone)
                of_views |= dict(zip(new, made.reshape(len(new), 4, -1), strict=True))
            for way, which in WAYS.items():
                more = [np.stack([of_views[row][view] for row in rows]) for view in which]
                features = Features(np.concatenate([matrix[rows], *more]), known.key, 0)
                again = np.tile(rows, 1 + len(which))
                scores = probed(dataset, features, again, matrix[parts.test], parts.test)
                found[way].append((scores.accuracy, scores.log_loss))
        for way, scores in found.items():
            accuracy, log_loss = np.mean(scores, axis=0)
            print(f"{dataset.name:15} {size:4} a class  {way:40} accuracy {accuracy:.3f}  log loss {log_loss:.3f}")


def small(work: Path) -> list[object]:
    model = small_photo_model(work / "model" / "model.onnx")
    return [photos(work / "photos", 6), "--sizes", 2, "--draws", 2, "--model", model]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--sizes", nargs="+", type=int, default=[5, 25])
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--model", default=DEFAULT["image"])
    with asked(parser, small) as options:
        backbone = load(options.model, kind="image")
        for data in options.data:
            bench(data, options.sizes, options.draws, backbone)


if __name__ == "__main__":
    main()
