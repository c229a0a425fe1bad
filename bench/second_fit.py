"""Claim: a second fit on the same data computes no feature and takes under a tenth of the first.

    python bench/second_fit.py [DATA [MODEL]]      (default: the packaged textile photos, efficientnet_lite0)

Whole processes, from an empty cache of their own; wall seconds.
"""

import tempfile
from pathlib import Path

from common import arguments, asked, fit_alone, packaged, photos, small_photo_model


def small(work: Path) -> list[object]:
    return [photos(work / "photos", 4), small_photo_model(work / "model" / "model.onnx")]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="?")
    parser.add_argument("model", nargs="?", default="efficientnet_lite0")
    with asked(parser, small) as options, tempfile.TemporaryDirectory() as cache:
        fits = [
            fit_alone(options.data or packaged(), "--model", options.model, "--seed", seed, cache=cache)
            for seed in (0, 1)
        ]
    (first, _), (second, told) = fits
    print(f"first  {first:7.2f} s")
    print(f"second {second:7.2f} s  ({second / first:.1%} of the first; {told['cached']:.0%} of the features known)")
    print(f"accuracy {told['accuracy']:.3f}, seconds {told['seconds']}")


if __name__ == "__main__":
    main()
