"""The main job on real photos that a package ships: textile without a defect, with a local, with a global one."""

import importlib.util
import tempfile
from pathlib import Path

import headstart as hs
from headstart.progress import Bars

spec = importlib.util.find_spec("conformal_clip_data")
if spec is None or spec.origin is None:
    raise SystemExit("pip install conformal-clip-data")
photos = Path(spec.origin).parent / "data" / "textile_images" / "simulated"

out = Path(tempfile.mkdtemp()) / "textile.headstart"
model = hs.fit(photos, model="efficientnet_lite0", how="probe", out=out, progress=Bars())

low, high = model.summary["accuracy_interval"]
print(
    f"\n{model.summary['n_train']} photos to learn from, {model.summary['n_test']} to test on:",
    ", ".join(model.classes),
)
print(f"accuracy {model.summary['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}), ", end="")
print(f"always answering {model.summary['majority_class']!r}: {model.summary['majority_accuracy']:.3f}")
print(f"{model.summary['seconds']['total']:.1f} s in all\n")

for photo in sorted(photos.glob("*/textile_0001.jpg")):
    best = hs.load(out).predict(photo)[0]
    print(f"{photo.parent.name}/{photo.name}: {best.label} ({best.probability:.2f})")
print(f"\nthe page to open: {out / 'report.html'}")
