"""Write docs/schemas/*.json: a JSON schema of what each command prints and each folder holds, seen from real ones.

    python docs/make_schemas.py    # `make schemas`, where what is printed has changed; a minute or two

Every command is run on small data. Which fields there are, of which types, and which are always there is seen from what
comes. A test runs them again, and holds each output against its schema.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headstart import __version__

FOLDER = Path(__file__).with_name("schemas")
DRAFT = "https://json-schema.org/draft/2020-12/schema"
WORDS = ("card", "rate", "pin")
NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
# Objects whose keys are the user's, or a library's: any key, values of one form.
BY_KEY = {"answered", "class_weights", "files", "probabilities", "seconds", "sizes", "train_counts", "versions"}
PROBE = ("--how", "probe")


def outputs(folder: Path) -> dict[str, list[Any]]:
    """What commands print and folders hold, by the name of its schema, made in an empty folder."""
    make_data(folder)
    photos = ("photos", "--model", "efficientnet_lite0")
    texts, model = ("texts.csv", "--model", "bert"), "bert"
    found: dict[str, list[Any]] = {
        "fit-classes": [
            asked(folder, "fit", *photos, *PROBE),
            asked(folder, "fit", *texts, "--how", "tune", "--budget", "5m"),
        ],
        "fit-labels": [asked(folder, "fit", "labels.csv", "--model", model, *PROBE)],
        "fit-numbers": [asked(folder, "fit", "numbers.csv", "--model", model, *PROBE)],
        "fit-answers": [asked(folder, "fit", "answers.csv", "--model", "years", *PROBE)],
        "evaluate-classes": [asked(folder, "evaluate", "texts.headstart", "texts.csv")],
        "evaluate-labels": [asked(folder, "evaluate", "labels.headstart", "labels.csv")],
        "evaluate-numbers": [asked(folder, "evaluate", "numbers.headstart", "numbers.csv")],
        "evaluate-answers": [asked(folder, "evaluate", "answers.headstart", "answers.csv")],
        "predict-classes": [
            asked(folder, "predict", "photos.headstart", "photos/global"),
            asked(folder, "predict", "texts.headstart", "my card", "the rate", "--coverage", "0.8"),
        ],
        "predict-labels": [asked(folder, "predict", "labels.headstart", "my card", "the rate")],
        "predict-numbers": [asked(folder, "predict", "numbers.headstart", "my card", "the rate")],
        "predict-answers": [asked(folder, "predict", "answers.headstart", "answers.csv")],
        "answer": [asked(folder, "answer", "years", "when was it built?", "--context", "text.txt")],
        "check": [asked(folder, "check", "photos"), asked(folder, "check", *texts)],
        "rank": [asked(folder, "rank", "photos", "--models", "efficientnet_lite0,efficientnet_lite1")],
        "compare": [asked(folder, "compare", *texts, "--budget", "10s", "--seeds", "1")],
        "explain": [asked(folder, "explain", "photos.headstart", "photos/global/0.jpg")],
        "export": [asked(folder, "export", "texts.headstart", "--format", "onnx")],
        "plan": [asked(folder, "plan", *photos)],
        "encode": [asked(folder, "encode", *texts, "--store", "store")],
        "encode-merge": [asked(folder, "encode", "--merge", "--store", "store")],
        "models": [asked(folder, "models")],
        "cache": [asked(folder, "cache")],
        "doctor": [asked(folder, "doctor")],
    }
    saved = [folder / f"{name}.headstart" for name in ("photos", "texts", "labels", "numbers", "answers")]
    found["headstart.json"] = [read(model / "headstart.json") for model in saved]
    found["manifest.json"] = [read(model / "manifest.json") for model in saved]
    found["model.json"] = [read(folder / "texts-onnx" / "model.json")]
    return found


def make_data(folder: Path) -> None:
    """Forty photos of a package, tables of random words, and small models with random weights."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from small_models import WORDS as KNOWN
    from small_models import model_that_finds_years, small_text_model

    spec = importlib.util.find_spec("conformal_clip_data")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install conformal-clip-data")
    textile = Path(spec.origin).parent / "data" / "textile_images" / "simulated"
    for name in ("global", "nominal"):
        (folder / "photos" / name).mkdir(parents=True)
        for number, photo in enumerate(sorted((textile / name).glob("*.jpg"))[:20]):
            shutil.copy(photo, folder / "photos" / name / f"{number}.jpg")
    draw = random.Random(0)
    texts = [" ".join(draw.choices(KNOWN, k=7)) for _ in range(60)]
    told = {
        "texts": ("label", ["cards" if "card" in text else "else" for text in texts]),
        "labels": ("labels", ["|".join(word for word in WORDS if word in text.split()) for text in texts]),
        "numbers": (
            "stars",
            [f"{text.count('card') - 2 * text.count('pin') + draw.gauss(0, 0.2):.3f}" for text in texts],
        ),
    }
    for name, (column, targets) in told.items():
        lines = [f'"{text}",{target}' for text, target in zip(texts, targets, strict=True)]
        (folder / f"{name}.csv").write_text("\n".join([f"text,{column}", *lines]) + "\n")
    rows = ["context,question,answer"]
    for year in range(1931, 1961):
        rows.append(f"the tower was built in {year} by the king number {year - 1930},when was it built?,{year}")
    (folder / "answers.csv").write_text("\n".join(rows) + "\n")
    (folder / "text.txt").write_text("the tower was built in 1931 by the king")
    small_text_model("bert", folder / "bert")
    (folder / "years").mkdir()
    model_that_finds_years(folder / "years")


def asked(folder: Path, *arguments: str) -> Any:
    """What a command prints with --json.

    Raises:
        RuntimeError: it ends with an error.
    """
    command = [sys.executable, "-m", "headstart", *arguments, "--json"]
    around = {**os.environ, "HF_HUB_OFFLINE": "1", "HEADSTART_DEVICE": "cpu"}
    done = subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def schema_of(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """The schema that all these values fit."""
    about = {"$schema": DRAFT, "$id": f"headstart/{__version__}/{name}", "title": name, "version": __version__}
    return {**about, **form_of(values)}


def form_of(values: Sequence[Any], key: str = "") -> dict[str, Any]:
    """Their types and what is in them; an object's fields are required where all of them have these."""
    types = sorted({NAMES.get(type(value), "array" if isinstance(value, list) else "object") for value in values})
    if "number" in types and "integer" in types:
        types.remove("integer")
    form: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
    objects = [value for value in values if isinstance(value, dict)]
    items = [item for value in values if isinstance(value, list) for item in value]
    if objects and (key in BY_KEY or not all(name.isidentifier() for value in objects for name in value)):
        entries = [entry for value in objects for entry in value.values()]
        form["additionalProperties"] = form_of(entries) if entries else {}
    elif objects:
        names = list(dict.fromkeys(name for value in objects for name in value))
        form["properties"] = {
            name: form_of([value[name] for value in objects if name in value], name) for name in names
        }
        form["required"] = [name for name in names if all(name in value for value in objects)]
    if items:
        form["items"] = form_of(items)
    return form


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, values in outputs(Path(folder)).items():
            text = json.dumps(schema_of(name, values), indent=1, ensure_ascii=False)
            (FOLDER / f"{name.removesuffix('.json')}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
