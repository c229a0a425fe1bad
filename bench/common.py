"""What the benches share: a command line with a small form, small data and models, a probe, fits in processes.

`--small` stands for other arguments: tiny data and models, so that `tests/test_benches.py` runs every line of a bench
within seconds. No figure of a small form means anything.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does, before torch

if TYPE_CHECKING:
    import numpy as np

    from headstart.backbone import Features
    from headstart.task import Scores
    from headstart.values import Dataset

HERE = Path(__file__).resolve().parents[1]
_WORDS = {"card": "where is my card lost", "rate": "the rate new of a", "pin": "pin new i it"}
_ARTICLES, _PARAGRAPHS = 4, 6  # of the small questions

Small = Callable[[Path], Sequence[object]]  # a folder to make things in -> the arguments that --small stands for


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the script's docstring."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


@contextmanager
def asked(parser: argparse.ArgumentParser, small: Small) -> Iterator[argparse.Namespace]:
    """What was asked for; what `small` made lies in a folder that goes at the end."""
    parser.add_argument("--small", action="store_true", help="tiny data and models, for the tests")
    given = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        if "--small" in given:
            print("small form: its figures mean nothing", flush=True)
            given = [*map(str, small(Path(work))), *given]
        yield parser.parse_args(given)


def installed(package: str, *, needed_for: str) -> bool:
    """Whether a peer is there; otherwise what is left out is told."""
    if importlib.util.find_spec(package) is not None:
        return True
    name = {"sklearn": "scikit-learn"}.get(package, package)
    print(f"left out: {needed_for} (pip install {name})", flush=True)
    return False


def packaged() -> Path:
    """The textile photos that a package ships, in folders of classes."""
    spec = importlib.util.find_spec("conformal_clip_data")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install conformal-clip-data")
    return Path(spec.origin).parent / "data" / "textile_images" / "simulated"


def photos(folder: Path, of_a_class: int) -> Path:
    """The first of them, copied."""
    for group in sorted(packaged().iterdir()):
        (folder / group.name).mkdir(parents=True)
        for photo in sorted(group.glob("*.jpg"))[:of_a_class]:
            shutil.copy(photo, folder / group.name)
    return folder


def texts(table: Path, n: int, *, seed: int = 0) -> Path:
    """A table of so many texts of three classes, in words that the small models know."""
    rng, rows = random.Random(seed), ["text,label"]
    for number in range(n):
        label = list(_WORDS)[number % len(_WORDS)]
        words = rng.choices([*_WORDS[label].split(), "my", "the"], k=rng.randint(4, 12))
        rows.append(f"{' '.join(words)} {seed} {number},{label}")
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table


def questions(file: Path) -> Path:
    """Some questions about texts with a year in them, in the form of SQuAD and the words of the small models."""
    rng, articles = random.Random(0), []
    for article in range(_ARTICLES):
        paragraphs = []
        for number in range(_PARAGRAPHS):
            about, year = rng.choice(["tower", "house", "bridge"]), str(rng.randrange(1900, 2000))
            text = f"the {about} of the old city was built in {year} by a king and people who came from the north"
            answers = [{"text": year, "answer_start": text.index(year)}]
            asked = {"id": f"{article}-{number}", "question": "when was it built?", "answers": answers}
            paragraphs.append({"context": text, "qas": [asked]})
        articles.append({"title": f"article {article}", "paragraphs": paragraphs})
    file.write_text(json.dumps({"version": "1.1", "data": articles}), encoding="utf-8")
    return file


def small_photo_model(file: Path, *, seed: int = 0) -> Path:
    """A convolution with random weights as an ONNX file: a fit of it loads no torch, so a process of it takes a second.

    Beside it stands how its photos are prepared.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(seed)
    weights = {"filters": (16, 3, 5, 5), "head": (7, 16), "bias": (7,)}
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 64, 64])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 7])
    nodes = [
        helper.make_node("Conv", ["pixels", "filters"], ["maps"], strides=[4, 4]),
        helper.make_node("Relu", ["maps"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["means"]),
        helper.make_node("Flatten", ["means"], ["features"]),
        helper.make_node("Gemm", ["features", "head", "bias"], ["logits"], transB=1),
    ]
    made = [numpy_helper.from_array(rng.normal(size=s).astype(np.float32), name) for name, s in weights.items()]
    graph = helper.make_graph(nodes, "small", [pixels], [logits], made)
    file.parent.mkdir()
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    told = {"size": {"height": 64, "width": 64}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (file.parent / "preprocessor_config.json").write_text(json.dumps({"do_resize": True, "resample": 2, **told}))
    return file


def small_models() -> ModuleType:
    """What makes the models of the tests; loads torch and timm."""
    sys.path.insert(0, str(HERE / "tests"))
    import small_models as found

    return found


def small_text_model(folder: Path) -> Path:
    """A BERT of three narrow layers with random weights; it reads 64 tokens."""
    small_models().small_text_model("bert", folder)
    return folder


def small_reading_model(folder: Path) -> Path:
    """The same, made to find answers; it reads 512 tokens."""
    make = small_models()
    make.small_reading_model("bert", folder, words=[*dict.fromkeys([*make.WORDS, *make.FILLING, *make.YEARS])])
    return folder


def read(data: str | Path, test: str | Path | None = None) -> Dataset:
    """The user's data as any task, not checked yet; `test` is where the test part lies, where it has a place."""
    from headstart.data.read import read
    from headstart.tasks.table import TASKS
    from headstart.values import Request

    return read(Request(data, test=test or 0.2), TASKS)


def in_parts(data: str) -> Dataset:
    """What is at a path, or at TRAIN:TEST."""
    train, _, test = data.partition(":")
    return read(train, test)


def encoded(dataset: Dataset, name: str | None = None) -> Features:
    """The features of a checked dataset, by a model of this name, or the starter."""
    from headstart.encode.encode import encode
    from headstart.pretrained.load import load

    modality = dataset.modality
    backbone = load(name or modality.default_model, kind=modality.kind)
    return encode(dataset.inputs, dataset.checked_digests, backbone)


def drawn(dataset: Dataset, train: np.ndarray, size: int, draw: int) -> np.ndarray:
    """So many of each class of the rows `train`, ascending."""
    import numpy as np

    rng = np.random.default_rng(draw)
    mine = [train[dataset.y[train] == c] for c in range(len(dataset.classes))]
    return np.sort(np.concatenate([rng.permutation(of_class)[:size] for of_class in mine]))


def probed(
    dataset: Dataset, features: Features, rows: np.ndarray, tested: np.ndarray, test: np.ndarray, *, seed: int = 0
) -> Scores:
    """A probe of `features` of the `rows`, scored on the rows `test`, whose features are `tested`."""
    from headstart.adapt.basis import fit_basis
    from headstart.adapt.cross_validation import fit_probe
    from headstart.evaluate.classification import evaluate

    head = fit_probe(dataset, rows, features, basis=fit_basis(features.matrix), seed=seed).head
    classes = dataset.classes
    return evaluate(head.logits(tested), dataset.y[test], classes=classes, majority_class=classes[0])


def fit_alone(data: str | Path, *options: object, cache: str | Path) -> tuple[float, dict[str, Any]]:
    """A probe by `headstart fit` in a process of its own: wall seconds, and what it told."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["fit", data, "--how", "probe", "--out", f"{folder}/model", "--json", *options]
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "headstart", *map(str, command)],
            env={**os.environ, "HEADSTART_CACHE": str(cache)},
            stdout=subprocess.PIPE,
            check=True,
        )
        return time.perf_counter() - begun, json.loads(done.stdout)
