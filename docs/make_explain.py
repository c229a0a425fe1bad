"""Write docs/explain.webp from a photo of scikit-learn's (danielbuechele, CC BY 2.0): by hand, where maps change."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import headstart as hs
from headstart.explain.drawing import drawn

SIDE = 480  # pixels of the longer side


def main() -> None:
    with as_file(files("sklearn.datasets") / "images" / "china.jpg") as photo:
        found = hs.load("efficientnet_lite0").explain(str(photo))
    picture = drawn(found.evidence.heat)
    picture.thumbnail((SIDE, SIDE))
    picture.save(Path(__file__).parent / "explain.webp", "WEBP", quality=80)


if __name__ == "__main__":
    main()
