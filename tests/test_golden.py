"""What commands say, save and keep is what it was: JSON, heads, keys of the cache, beside files made before.

    HEADSTART_GOLDEN=write pytest tests/test_golden.py    # make the files anew, where a change is meant

Numbers may differ in the fourth digit, for processors round differently; durations and places are not compared. The
files hold for the versions of the libraries, and the kind of processor, that they name: another rounds sums otherwise,
and a label that was just doubtful is no longer.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from conftest import STARTER
from fits import fitting, killed
from small_models import small_image_model, small_text_model
from test_fit_questions import squad
from test_onnx import SIDECAR, export

GOLDEN = Path(__file__).parent / "golden"
LIBRARIES = ("torch", "timm", "transformers", "tokenizers", "openvino", "numpy", "pillow", "headstart")
NOT_COMPARED = {
    *("seconds", "out", "when", "date", "versions", "machine", "folder", "last_used", "trials", "why_how", "hash"),
    "learning_curve",  # of heads that are solved a little less closely
}
EXACTLY = 1e-4
WEIGHTS = (".safetensors", ".onnx")


@pytest.fixture
def golden(own_cache, monkeypatch, request):
    """Compare with the file of this test, or write it."""
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")

    def check(found: dict[str, Any]) -> None:
        file = GOLDEN / f"{re.sub(r'[^a-z]+', '_', request.node.name.removeprefix('test_')).strip('_')}.json"
        versions = {
            **{name: version(name) for name in LIBRARIES},
            "processor": kind_of_processor(),
        }
        found = json.loads(json.dumps(plain(found)))
        if os.environ.get("HEADSTART_GOLDEN") == "write":
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps({"versions": versions, **found}, indent=1, sort_keys=True) + "\n")
        known = json.loads(file.read_text())
        if known.pop("versions") != versions:
            pytest.skip("made with other versions")
        assert list(differences(known, found)) == []

    return check


def kind_of_processor() -> str:
    """By what sums are rounded: who makes it, and with which instructions it multiplies."""
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return "unknown"
    return " ".join(sorted(words & {"GenuineIntel", "AuthenticAMD", "amx_bf16", "avx512_bf16", "avx512f", "avx2"}))


def plain(value: Any) -> Any:
    """Without what may differ from run to run."""
    if isinstance(value, dict):
        return {key: "-" if key in NOT_COMPARED else plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "norm": float(np.linalg.norm(value)), "first": value.ravel()[:4].tolist()}
    return re.sub(r"/\S*/", "", value) if isinstance(value, str) else value


def differences(known: Any, found: Any, at: str = "") -> Any:
    if isinstance(known, dict) and isinstance(found, dict):
        for key in sorted({*known, *found}):
            if (key in known) != (key in found):
                yield f"{at}.{key} is only {'known' if key in known else 'found'}"
            else:
                yield from differences(known[key], found[key], f"{at}.{key}")
    elif isinstance(known, list) and isinstance(found, list) and len(known) == len(found):
        for number, pair in enumerate(zip(known, found, strict=True)):
            yield from differences(*pair, f"{at}[{number}]")
    elif isinstance(known, float) and isinstance(found, float):
        if not math.isclose(known, found, rel_tol=EXACTLY, abs_tol=EXACTLY):
            yield f"{at}: {found} instead of {known}"
    elif known != found:
        yield f"{at}: {found!r} instead of {known!r}"


def saved(folder: Path) -> dict[str, Any]:
    """Names of files, what JSON they hold, and the numbers of the head."""
    told = json.loads((folder / "headstart.json").read_text())
    head = told.get("head", {})
    found: dict[str, Any] = {"files": sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())}
    found["headstart.json"] = told
    found["manifest.json"] = sorted(json.loads((folder / "manifest.json").read_text())["files"])
    found["split.csv"] = (folder / "split.csv").read_text().splitlines()[:4]
    if "prefix" in head:
        tensors = load_file(folder / head["file"])
        found["head"] = {name: tensors[f"{head['prefix']}{name}"] for name in ("weight", "bias")}
    return found


def kept(cache: Path) -> dict[str, Any]:
    """Names and keys of what is in the cache."""
    tables = {path.parent.name: json.loads(path.read_text()) for path in cache.glob("features/*/about.json")}
    engines = sorted(path.name for path in cache.glob("engines/*.precision.json"))
    return {"features": tables, "engines": engines, "runs": sorted(p.name for p in cache.glob("runs/*") if p.is_dir())}


def ran(command: Any, *arguments: object) -> dict[str, Any]:
    code, out, err = command(*arguments, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_photos_probed(photos, command, own_cache, tmp_path, golden):
    """In float32: bfloat16 rounds as a processor does."""
    out = tmp_path / "model"
    exact = [*STARTER, "--precision", "float32"]
    found = {"fit": ran(command, "fit", photos, *exact, "--out", out), "saved": saved(out), "cache": kept(own_cache)}
    found["predict"] = ran(command, "predict", out, *sorted((photos / "global").iterdir())[:3])
    found["evaluate"] = ran(command, "evaluate", out, photos)
    golden(found)


def test_texts_probed(few_texts, command, own_cache, tmp_path, golden):
    (data, model), out = few_texts, tmp_path / "model"
    found = {"fit": ran(command, "fit", data, "--model", model, "--how", "probe", "--out", out)}
    found |= {"saved": saved(out), "cache": kept(own_cache)}
    found["predict"] = ran(command, "predict", out, "Where is my card?", "What is the rate?")
    found["evaluate"] = ran(command, "evaluate", out, data)
    golden(found)


@pytest.mark.parametrize("how", ["tune", "lora"])
def test_texts_tuned(few_texts, own_cache, tmp_path, golden, how):
    """Up to its timed choices, and their names: the rest depends on how fast the machine is."""
    data, model = few_texts
    killed(fitting(data, model, tmp_path / "model", "--budget", "30m", how=how, halts="wrote scheme.json"))
    found = kept(own_cache)
    found["decided"] = sorted(path.name for path in own_cache.glob("runs/*/*.json"))
    golden(found)


def test_photos_tuned(photos, own_cache, tmp_path, golden):
    small_image_model("vit_tiny_patch16_224", tmp_path / "vit", anywhere=True)
    killed(fitting(photos, tmp_path / "vit", tmp_path / "model", "--budget", "30m", halts="wrote scheme.json"))
    golden(kept(own_cache))


def test_questions_answered(years, command, own_cache, tmp_path, golden):
    data, out = tmp_path / "questions.json", tmp_path / "reader"
    data.write_text(json.dumps(squad(documents=12, each=3, without=True)))
    shutil.copytree(years, tmp_path / "years")
    told = ran(command, "fit", data, "--model", tmp_path / "years", "--how", "probe", "--out", out)
    found = {"fit": told, "cache": kept(own_cache), "headstart.json": json.loads((out / "headstart.json").read_text())}
    found["files"] = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    text = tmp_path / "text.txt"
    text.write_text("the tower was built in 1931 by the king")
    found["answer"] = ran(command, "answer", out, "when was it built?", "--context", text)
    found["evaluate"] = ran(command, "evaluate", out, data)
    golden(found)


def test_an_onnx_file_probed(photos, command, own_cache, tmp_path, golden):
    folder, out = tmp_path / "exported", tmp_path / "model"
    folder.mkdir()
    export(small_image_model("resnet18", tmp_path / "timm", anywhere=True), folder / "model.onnx", old=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(SIDECAR))
    found = {"fit": ran(command, "fit", photos, "--model", folder / "model.onnx", "--how", "probe", "--out", out)}
    golden(found | {"saved": saved(out), "cache": kept(own_cache)})


def test_models_as_they_come(command, own_cache, tmp_path, golden):
    """Before anybody adapts them, with the classes that they were trained on."""
    small_text_model("distilbert", tmp_path / "distilbert")
    found = {"texts": ran(command, "predict", tmp_path / "distilbert", "a card", "the rate")}
    golden(found | {"cache": kept(own_cache)})
