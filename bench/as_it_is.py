"""Claim: weights, preprocessing and class names belong together: a pre-trained classifier knows ImageNet's own photos.

    python bench/as_it_is.py FOLDER [--model efficientnet_lite0]

FOLDER has one photo a class, named after its WordNet id and class (n01443537_goldfish.JPEG). Prints a row a photo and
the share that is right. They are training photos, so it should lie far above the model's validation accuracy.
"""

import shutil
from pathlib import Path

from common import arguments, asked, packaged

import headstart as hs
from headstart.pretrained.from_timm import timm


def small(work: Path) -> list[object]:
    """Photos of textile under the names of fish."""
    for name, photo in zip(("n01440764_tench", "n01443537_goldfish"), packaged().glob("*/*.jpg"), strict=False):
        shutil.copy(photo, work / f"{name}.jpg")
    return [work]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="efficientnet_lite0")
    with asked(parser, small) as options:
        info = timm.data.ImageNetInfo("imagenet-1k")
        wordnet = [info.index_to_label_name(i) for i in range(info.num_classes())]
        photos = sorted(path for path in options.folder.iterdir() if path.name.split("_")[0] in wordnet)
        model = hs.load(options.model)
        right = 0
        for photo, prediction in zip(photos, model.predict([str(photo) for photo in photos], top=2), strict=True):
            true = model.classes[wordnet.index(photo.name.split("_")[0])]
            right += prediction.label == true
            mark = " " if prediction.label == true else "x"
            print(f"{mark} {true:28} {prediction.label:28} {prediction.probability:.2f}")
        print(f"{options.model}: {right} of {len(photos)} right ({right / len(photos):.2f})")


if __name__ == "__main__":
    main()
