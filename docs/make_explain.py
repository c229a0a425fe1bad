"""Write docs/explain.webp: the map of a photo that comes with the tests' packages. Run by hand where maps change."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import headstart as hs
from headstart.explain.drawing import drawn

SIDE = 480  # pixels of the longer side


def main() -> None:
    spec = importlib.util.find_spec("conformal_clip_data")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install conformal-clip-data")
    photos = Path(spec.origin).parent / "data" / "textile_images" / "simulated"
    with tempfile.TemporaryDirectory() as folder:
        model = hs.fit(photos, how="probe", out=Path(folder) / "model")
        found = model.explain(str(min((photos / "local").glob("*.jpg"))), "local")
    picture = drawn(found.evidence.heat)
    picture.thumbnail((SIDE, SIDE))
    picture.save(Path(__file__).parent / "explain.webp", "WEBP", quality=80)


if __name__ == "__main__":
    main()
