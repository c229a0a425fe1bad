"""Claim: a whole `headstart fit` is many times faster than fastai's `fine_tune(1)`, same weights, photos and split.

    pip install fastai            (in an environment with headstart)
    python bench/against_fastai.py FOLDER [--crops]

FOLDER has class folders. A fifth of the photos (by a checksum of the name) is held out. `--crops` writes five distinct
crops of each photo as JPEG, all on the photo's side of the split. Both run as whole processes, headstart from an empty
cache; wall seconds.
"""

import random
import re
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

from common import arguments, asked, fit_alone, installed, photos, small_photo_model
from PIL import Image

FASTAI = """
import sys
from pathlib import Path
from headstart.pretrained import from_timm
from fastai.vision.all import ImageDataLoaders, Resize, accuracy, set_seed, vision_learner
from headstart.pretrained.catalog import find
from headstart.pretrained.weights import open_torch_file
timm = from_timm.timm
set_seed(int(sys.argv[3]))
photos = sum(1 for photo in Path(sys.argv[1], "train").glob("*/*"))  # a batch that is not full is not learned from
options = dict(train="train", valid="test", item_tfms=Resize(224), bs=min(32, photos), num_workers=2)
loaders = ImageDataLoaders.from_folder(sys.argv[1], **options)
create = timm.create_model
full = create("tf_efficientnet_lite0")
state = dict(zip(full.state_dict(), open_torch_file(find("efficientnet_lite0").path).values()))
def with_our_weights(*arguments, **options):
    options["pretrained"] = False
    model = create(*arguments, **options)
    model.load_state_dict({k: v for k, v in state.items() if k in model.state_dict()})
    return model
timm.create_model = with_our_weights
learner = vision_learner(loaders, "tf_efficientnet_lite0", metrics=accuracy, normalize=True)
learner.fine_tune(int(sys.argv[2]))
print("ACCURACY", learner.recorder.values[-1][-1])
"""


def lay_out(source: Path, target: Path, crops: bool) -> None:
    rng = random.Random(0)
    for photo in sorted(source.glob("*/*.jpg")):
        part = "test" if zlib.crc32(photo.stem.encode()) % 5 == 0 else "train"
        folder = target / part / photo.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        if not crops:
            (folder / photo.name).write_bytes(photo.read_bytes())
            continue
        image = Image.open(photo).convert("RGB")
        for number in range(5):
            share = rng.uniform(0.8, 0.95)
            width, height = int(image.width * share), int(image.height * share)
            x, y = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
            image.crop((x, y, x + width, y + height)).save(folder / f"{photo.stem}_{number}.jpg", quality=92)


def by_fastai(data: Path, *, epochs: int = 1, seed: int = 0) -> tuple[float, float]:
    """Wall seconds and accuracy."""
    command = [sys.executable, "-c", FASTAI, str(data), str(epochs), str(seed)]
    begun = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - begun
    found = re.search(r"ACCURACY ([0-9.]+)", done.stdout)
    return seconds, float(found.group(1)) if found else float("nan")


def small(work: Path) -> list[object]:
    return [photos(work / "photos", 8), "--crops", "--model", small_photo_model(work / "model" / "model.onnx")]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--crops", action="store_true")
    parser.add_argument("--model", default="efficientnet_lite0", help="of headstart; fastai's is that one")
    with asked(parser, small) as options, tempfile.TemporaryDirectory() as work:
        data = Path(work) / "data"
        lay_out(options.folder, data, options.crops)
        ours, told = fit_alone(data, "--model", options.model, cache=f"{work}/cache")
        print(f"photos    {told['n_train']} to learn from, {told['n_test']} held out")
        print(f"headstart {ours:7.1f} s  accuracy {told['accuracy']:.3f}  {told['seconds']}", flush=True)
        if installed("fastai", needed_for="fastai's side"):
            theirs, accuracy = by_fastai(data)
            print(f"fastai    {theirs:7.1f} s  accuracy {accuracy:.3f}")
            print(f"ratio     {theirs / ours:7.1f}")


if __name__ == "__main__":
    main()
