"""Near-duplicates: which copies in other formats, qualities, sizes are found, and which other pictures are called so.

Pictures that are not copies of one another: photos in the folders that are given, drawn grains on one background, and
scikit-learn's 1,797 handwritten digits. Each pair among them that is found is shown, for people to look at.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import arguments, asked, installed, packaged, photos
from PIL import Image, ImageDraw

import headstart as hs

_R = Image.Resampling
_COPIES = {  # scale, filter, format, quality
    "JPEG 60": (1, _R.BICUBIC, "JPEG", 60),
    "JPEG 75": (1, _R.BICUBIC, "JPEG", 75),
    "JPEG 95": (1, _R.BICUBIC, "JPEG", 95),
    "WebP 80": (1, _R.BICUBIC, "WEBP", 80),
    "PNG": (1, _R.BICUBIC, "PNG", 0),
    "half, JPEG 85": (0.5, _R.BICUBIC, "JPEG", 85),
    "half, bilinear, JPEG 60": (0.5, _R.BILINEAR, "JPEG", 60),
    "half, every other pixel, PNG": (0.5, _R.NEAREST, "PNG", 0),
    "0.7, WebP 60": (0.7, _R.LANCZOS, "WEBP", 60),
    "1.5, JPEG 90": (1.5, _R.LANCZOS, "JPEG", 90),
    "double, PNG": (2, _R.BICUBIC, "PNG", 0),
}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--copied", type=Path, help="folder of photos of which copies are made")
    parser.add_argument("--step", type=int, default=1, help="every so many of them")
    parser.add_argument("--others", type=Path, nargs="*", default=[packaged()], help="folders of photos")
    parser.add_argument("--grains", type=int, default=1000)
    with asked(parser, _small) as given, tempfile.TemporaryDirectory() as work:
        if given.copied:
            _found(sorted(_photos(given.copied))[:: given.step], Path(work))
        for number, folder in enumerate(given.others):
            _called(folder.name, sorted(_photos(folder)), Path(work) / str(number))
        _called("grains", list(_grains(given.grains, Path(work) / "drawn")), Path(work) / "grains")
        if installed("sklearn", needed_for="handwritten digits"):
            _called("digits", list(_digits(Path(work) / "digit")), Path(work) / "digits")


def _small(work: Path) -> tuple[object, ...]:
    made = photos(work / "photos", 3)
    return "--copied", made, "--step", 2, "--others", made, "--grains", 20


def _photos(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))


def _twins(files: list[Path], folder: Path) -> list[hs.Finding]:
    """What a check says of these files, linked to from two classes: a fit needs as many."""
    for number, file in enumerate(files):
        link = folder / "ab"[number % 2] / f"{number}{file.suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    return [f for f in hs.check(folder).dataset.findings if f.kind in ("near-duplicate", "duplicate")]


def _numbers(finding: hs.Finding) -> list[int]:
    """Which two files it is about."""
    return [int(number) for number in re.findall(r"(\d+)\.\w+\b", f"{finding.where} {finding.reason}")]


def _called(name: str, files: list[Path], folder: Path) -> None:
    near = [f for f in _twins(files, folder) if f.kind == "near-duplicate"]
    print(f"| {name} | {len(files):,} | {len(near)} |", flush=True)
    for finding in near:
        print("   ", *(files[number] for number in _numbers(finding)), flush=True)


def _found(files: list[Path], work: Path) -> None:
    """Make a copy of each photo in each way, and look for it among all of them."""
    for number, (name, (scale, how, kind, quality)) in enumerate(_COPIES.items()):
        made, found = work / f"copies{number}", Counter[str]()
        made.mkdir()
        both = []
        for row, file in enumerate(files):
            with Image.open(file) as image:
                size = tuple(max(1, round(side * scale)) for side in image.size)
                copy = made / f"{row}.{kind.lower()}"
                image.convert("RGB").resize(size, how).save(copy, kind, quality=quality, compress_level=1)
            both += [file, copy]
        folder = work / f"beside{number}"
        for finding in _twins(both, folder):
            row, other = _numbers(finding)
            found["right" if row // 2 == other // 2 else "wrong"] += 1
        print(f"| {name} | {len(files):,} | {found['right'] / len(files):.1%} | {found['wrong']} |", flush=True)


def _grains(n: int, folder: Path) -> Iterator[Path]:
    """Ellipses of two kinds on black, each of its own length, place and angle."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(n):
        long, wide = ((120, 28), (80, 46))[number % 2]
        grain = Image.new("RGBA", (250, 250))
        a, b = (int(side * rng.uniform(0.9, 1.1)) // 2 for side in (long, wide))
        x, y = rng.integers(105, 145, 2)
        ImageDraw.Draw(grain).ellipse((x - a, y - b, x + a, y + b), fill=(220, 214, 208, 255))
        grain = grain.rotate(rng.uniform(0, 180))
        picture = Image.new("RGB", (250, 250))
        picture.paste(grain, (0, 0), grain)
        picture.save(folder / f"{number}.png")
        yield folder / f"{number}.png"


def _digits(folder: Path) -> Iterator[Path]:
    from sklearn.datasets import load_digits

    folder.mkdir()
    for number, pixels in enumerate(load_digits().images):
        Image.fromarray((pixels * 15).astype(np.uint8)).save(folder / f"{number}.png")
        yield folder / f"{number}.png"


if __name__ == "__main__":
    main()
