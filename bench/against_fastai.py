"""Claim: a whole `headstart fit` is many times faster than fastai's `fine_tune(1)`, same weights, photos and split.

    pip install fastai            (in an environment with headstart)
    python bench/against_fastai.py FOLDER [--crops]

FOLDER has class folders. A fifth of the photos (by a checksum of the name) is held out. `--crops` writes five distinct
crops of each photo as JPEG, all on the photo's side of the split. Both run as whole processes, headstart from an empty
cache; wall seconds.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

from PIL import Image

FASTAI = """
import sys
from headstart.pretrained import from_timm
from fastai.vision.all import ImageDataLoaders, Resize, accuracy, set_seed, vision_learner
from headstart.pretrained.catalog import find
from headstart.pretrained.weights import open_torch_file
timm = from_timm.timm
set_seed(0)
options = dict(train="train", valid="test", item_tfms=Resize(224), bs=32, num_workers=2)
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
learner.fine_tune(1)
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


parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--crops", action="store_true")
options = parser.parse_args()
with tempfile.TemporaryDirectory() as work:
    data = Path(work) / "data"
    lay_out(options.folder, data, options.crops)
    start = time.perf_counter()
    ours = subprocess.run(
        [
            sys.executable,
            "-m",
            "headstart",
            "fit",
            str(data),
            "--model",
            "efficientnet_lite0",
            "--how",
            "probe",
            "--out",
            f"{work}/model",
            "--json",
        ],
        env={**os.environ, "HEADSTART_CACHE": f"{work}/cache"},
        stdout=subprocess.PIPE,
        check=True,
    )
    headstart = time.perf_counter() - start
    told = json.loads(ours.stdout)
    start = time.perf_counter()
    theirs = subprocess.run([sys.executable, "-c", FASTAI, str(data)], stdout=subprocess.PIPE, text=True, check=True)
    fastai = time.perf_counter() - start
found = re.search(r"ACCURACY ([0-9.]+)", theirs.stdout)
print(f"photos    {told['n_train']} to learn from, {told['n_test']} held out")
print(f"headstart {headstart:7.1f} s  accuracy {told['accuracy']:.3f}  {told['seconds']}")
print(f"fastai    {fastai:7.1f} s  accuracy {float(found.group(1)) if found else float('nan'):.3f}")
print(f"ratio     {fastai / headstart:7.1f}")
