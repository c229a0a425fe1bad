"""Exports: predict.py prints what headstart predicts, where headstart is not; or nothing is written, and it is said."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import headstart as hs
from headstart.backbone import ImagePreparation
from headstart.errors import DataError, OutputError, UserError
from headstart.export import table
from headstart.export.deployable import Deployable
from headstart.export.proof import Answers, compared
from headstart.export.resize import Resize
from headstart.export.to_onnx import ONNX
from headstart.inputs.image import crop_of, prepare
from small_models import small_image_model
from topics import mixed, numbers, same_or_not

TEXTS = ["Where is my card?", "The exchange rate, please. " * 200, "Ünïcode 漢字 🙂"]
RUNTIMES = {"openvino": {"openvino"}, "onnx": {"onnxruntime"}, "torch": {"torch"}}
# Of a torchvision that was built for another torch, as in this environment
REPAIRED = "from headstart.pretrained.torchvision_operators import declare_missing\ndeclare_missing()"
# What predict.py may not import: headstart, and the runtimes of other formats
ALONE = """
import runpy, sys
{before}
for name in {hidden}:
    sys.modules[name] = None
sys.argv = ["predict.py", *{arguments!r}]
runpy.run_path("predict.py", run_name="__main__")
"""


def printed(folder: Path, *arguments: object) -> list[str]:
    """What predict.py of a folder prints, in a process in which nothing but its own runtime can be imported."""
    format = folder.name.partition(".")[0]
    hidden = {"headstart", "openvino", "onnxruntime", "torch", "timm", "transformers"} - RUNTIMES.get(format, set())
    hidden, before = (hidden, "") if format in RUNTIMES else ({"headstart"}, REPAIRED)
    code = ALONE.format(before=before, hidden=sorted(hidden), arguments=[str(argument) for argument in arguments])
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def close(lines: list[str], expected: list[str]) -> None:
    """The same words, and numbers but for how a processor with bfloat16 rounds."""
    assert len(lines) == len(expected)
    for one, other in zip(lines, expected, strict=True):
        pairs = list(zip(one.replace(",", " ").split(), other.replace(",", " ").split(), strict=True))
        for mine, its in pairs:
            if mine != its:
                assert float(mine) == pytest.approx(float(its), abs=0.02)


@pytest.fixture(scope="module")
def intents():
    from conftest import QUESTIONS

    pairs = [(s.strip(), c) for c, t in QUESTIONS.items() for s in t.replace("?", ".").split(".") if s.strip()]
    texts, labels = zip(*pairs, strict=True)
    return hs.fit(texts, labels, model="all-MiniLM-L6-v2", how="probe")


def lines_of(model, inputs) -> list[str]:
    words = model.task.words
    return [f"{p.input}: {words.line(words.row(p))}" for p in model.predict(inputs)]


@pytest.mark.parametrize("format", ["openvino", "onnx", "torch"])
def test_texts_of_classes(intents, tmp_path, format):
    exported = intents.export(tmp_path / format, format=format)
    assert {"README.md", "model.json", "predict.py", "tokenizer.json"} < set(exported.files)
    assert exported.proof.n >= intents.scores.n
    assert exported.proof.same_top1 == exported.proof.n
    assert exported.proof.largest_difference < 1e-4
    about = json.loads((tmp_path / format / "model.json").read_text())
    assert (about["task"], about["classes"]) == ("text-classification", list(intents.classes))
    close(printed(tmp_path / format, *TEXTS), lines_of(intents, TEXTS))


@pytest.fixture(scope="module")
def small(textile, tmp_path_factory):
    """Photos, and fits of small models with random weights, which depend on every pixel."""
    folder = tmp_path_factory.mktemp("small")
    photos = folder / "photos"
    for name in ("global", "nominal"):
        shutil.copytree(textile / name, photos / name, ignore=lambda _, names: sorted(names)[60:])
    for architecture in ("resnet18", "vit_tiny_patch16_224", "beitv2_base_patch16_224"):
        small_image_model(architecture, folder / architecture)
        hs.fit(photos, model=str(folder / architecture), how="probe", out=folder / f"{architecture}.headstart")
    return folder


PHOTO_FORMATS = [
    ("openvino", "resnet18"),
    ("openvino", "vit_tiny_patch16_224"),
    ("onnx", "resnet18"),
    pytest.param("onnx", "vit_tiny_patch16_224", marks=pytest.mark.check),
    pytest.param("onnx", "beitv2_base_patch16_224", marks=pytest.mark.check),  # its attention has a mask of positions
    ("torch", "resnet18"),
    pytest.param("timm", "resnet18", marks=pytest.mark.check),
    pytest.param("transformers", "resnet18", marks=pytest.mark.check),
]


@pytest.mark.parametrize(("format", "architecture"), PHOTO_FORMATS)
def test_photos(small, tmp_path, command, format, architecture):
    photos = small / "photos"
    large = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)).resize((2400, 1600))
    large.save(tmp_path / "large.jpg")
    saved, out = small / f"{architecture}.headstart", tmp_path / format
    code, told, err = command(
        "export",
        saved,
        "--format",
        format,
        "--out",
        out,
        "--input",
        tmp_path / "large.jpg",
        "--input",
        photos,
        "--json",
    )
    assert code == 0, err
    result = json.loads(told)
    assert (result["format"], result["files"]) == (format, sorted(os.listdir(out)))
    assert (result["proof"]["n"], result["proof"]["same_top1"]) == (130, 130)  # 121, and nine odd forms
    assert result["proof"]["largest_difference"] <= 0.005
    asked = [tmp_path / "large.jpg", next(photos.glob("*/*.jpg"))]
    close(printed(out, *asked), lines_of(hs.load(saved), asked))


def test_pixels_are_those_of_pillow():
    """All filters, upright and lying, enlarged and reduced: but for a level where a sum lies between two."""
    rng = np.random.default_rng(0)
    sizes = [(7, 9), (37, 501), (1, 1), (300, 5), (240, 180), (500, 375), (213, 320), (1203, 1801), (1000, 300)]
    for name, mode in (("bilinear", "center"), ("bicubic", "center"), ("lanczos", "center"), ("bicubic", "squash")):
        preparation = ImagePreparation((224, 224), 0.875, name, (0.5,) * 3, (0.5,) * 3, mode)
        resize = Resize(preparation).eval()
        for size in sizes:
            photo = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
            own = prepare(Image.fromarray(photo), preparation).astype(int)
            made = resize(torch.from_numpy(photo)[None])[0].numpy().astype(int)
            assert np.abs(made - own).max() <= 2
            assert (made != own).mean() < 0.01


def test_photos_are_resized_along_rows_first_whatever_pillow_does():
    preparation = ImagePreparation((224, 224), 0.875, "bicubic", (0.5,) * 3, (0.5,) * 3)
    for height in (100, 180, 224, 226, 240, 258, 300, 480, 700):
        for width in (100, 200, 224, 230, 260, 300, 400):
            photo = Image.fromarray(np.random.default_rng(height).integers(0, 255, (height, width, 3), dtype=np.uint8))
            left, top, right, bottom = crop_of(photo.size, preparation).box
            rows = photo.resize((224, height), Image.Resampling.BICUBIC, box=(left, 0, right, height))
            both = rows.resize((224, 224), Image.Resampling.BICUBIC, box=(0, top, 224, bottom))
            assert np.array_equal(np.asarray(both), prepare(photo, preparation))


EVERY = ["openvino", *(pytest.param(name, marks=pytest.mark.check) for name in ("onnx", "torch", "transformers"))]


@pytest.mark.parametrize("format", EVERY)
def test_labels(tmp_path, format):
    texts, labels = zip(*mixed(60), strict=True)
    model = hs.fit(texts, labels, model="all-MiniLM-L6-v2", how="probe")
    model.export(tmp_path / format, format=format)
    about = json.loads((tmp_path / format / "model.json").read_text())
    assert about["thresholds"] == list(model.head.thresholds)
    close(printed(tmp_path / format, *texts[:3]), lines_of(model, texts[:3]))


@pytest.mark.parametrize("format", EVERY)
def test_numbers(tmp_path, format):
    words, values = zip(*numbers(60), strict=True)
    model = hs.fit(words, values, model="all-MiniLM-L6-v2", how="probe", task="regression")
    model.export(tmp_path / format, format=format)
    about = json.loads((tmp_path / format / "model.json").read_text())
    assert about["interval"] == {"half_width": model.head.width, "holds": 0.9}
    (line,), (own,) = printed(tmp_path / format, words[0]), lines_of(model, [words[0]])
    found, value = (float(said.rsplit(": ", 1)[1].split()[0]) for said in (line, own))
    assert found == pytest.approx(value, abs=2e-2 * model.head.deviation)


@pytest.mark.parametrize("format", EVERY)
def test_pairs(tmp_path, format):
    pairs = same_or_not(60)
    model = hs.fit([(a, b) for a, b, _ in pairs], [c for _, _, c in pairs], model="all-MiniLM-L6-v2", how="probe")
    exported = model.export(tmp_path / format, format=format)
    assert exported.proof.same_top1 == exported.proof.n
    close(printed(tmp_path / format, *pairs[0][:2], *pairs[1][:2]), lines_of(model, [p[:2] for p in pairs[:2]]))


def test_the_threshold_of_two_classes(tmp_path):
    texts, labels = zip(*((text, str("food" in said)) for text, said in mixed(80)), strict=True)
    model = hs.fit(texts, labels, model="all-MiniLM-L6-v2", how="probe", threshold=0.9, positive="True")
    model.export(tmp_path / "openvino")
    assert json.loads((tmp_path / "openvino" / "model.json").read_text())["decision"] == {"class": "True", "from": 0.9}
    close(printed(tmp_path / "openvino", *texts[:8]), lines_of(model, texts[:8]))
    made = Deployable("mine", model.task, model.modality, model.backbone, model.head)
    own, other = np.array([[0.05, 0.95], [0.3, 0.7]]), np.array([[0.15, 0.85], [0.7, 0.3]])
    assert compared(made, Answers(other, own)).same_top1 == 1  # of the first it says False, of the second too


def test_a_model_in_the_working_folder_has_its_name(intents, tmp_path):
    saved = tmp_path / "mine.headstart"
    intents.save(saved)
    subprocess.run([sys.executable, "-m", "headstart", "export", "."], cwd=saved, check=True, capture_output=True)
    assert (saved / "mine-openvino" / "predict.py").exists()


@pytest.mark.check
def test_onnx_that_came_as_onnx(small, tmp_path):
    photos, folder = small / "photos", tmp_path / "file"
    module = small_image_model("resnet18", folder)
    torch.onnx.export(
        module, (torch.zeros(2, 3, 64, 64),), folder / "model.onnx", dynamic_shapes=({0: "n"},), external_data=False
    )
    os.remove(folder / "model.safetensors")
    model = hs.fit(photos, model=str(folder / "model.onnx"), how="probe", out=tmp_path / "saved")
    asked = [next(photos.glob("*/*.jpg"))]
    for format in ("openvino", "onnx"):
        model.export(tmp_path / format, format=format)
        close(printed(tmp_path / format, *asked), lines_of(model, asked))
    with pytest.raises(UserError, match=r"not exported to torch.export: its backbone is a graph of ONNX"):
        model.export(tmp_path / "torch", format="torch")


def test_metadata(small, tmp_path):
    import onnx

    model = hs.load(small / "resnet18.headstart")
    model.export(tmp_path / "onnx", format="onnx")
    graph = onnx.load(tmp_path / "onnx" / "model.onnx")
    said = {entry.key: json.loads(entry.value) for entry in graph.metadata_props}
    assert said == json.loads((tmp_path / "onnx" / "model.json").read_text())
    assert (said["classes"], said["temperature"]) == (list(model.classes), model.head.temperature)
    assert [port.name for port in (*graph.graph.input, *graph.graph.output)] == ["pixels", "probabilities"]


def test_many_at_once(small, tmp_path):
    """Photos of one size, and one of them by itself, have the same probabilities."""
    import onnxruntime

    hs.load(small / "resnet18.headstart").export(tmp_path / "onnx", format="onnx")
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(0).integers(0, 255, (5, 90, 120, 3), dtype=np.uint8)
    (together,) = session.run(None, {"pixels": pixels})
    for row in (0, 4):
        np.testing.assert_allclose(session.run(None, {"pixels": pixels[row : row + 1]})[0][0], together[row], atol=1e-5)


@pytest.mark.parametrize("format", ["openvino", pytest.param("onnx", marks=pytest.mark.check)])
def test_int8(small, tmp_path, command, format):
    photos = small / "photos"
    arguments = ["export", small / "resnet18.headstart", "--format", format, "--quantize", "int8", "--data", photos]
    code, told, err = command(*arguments, "--most-lost", "1", "--out", tmp_path / format, "--json")
    assert code == 0, err
    result = json.loads(told)
    assert (result["metric"], result["proof"]["n"]) == (
        "accuracy",
        result["n_held_out"] + 9,
    )  # each once, and odd forms
    hs.load(small / "resnet18.headstart").export(tmp_path / "float32", format=format, inputs=photos)
    weights = "model.bin" if format == "openvino" else "model.onnx"
    assert (tmp_path / format / weights).stat().st_size < 0.5 * (tmp_path / "float32" / weights).stat().st_size
    printed(tmp_path / format, next(photos.glob("*/*.jpg")))


def test_int8_of_photos_in_memory(small, tmp_path):
    """It is measured on those that were held out, and refused where the model has learned from all of them."""
    files = sorted((small / "photos").glob("*/*.jpg"))
    photos = [
        Image.open(file).convert("CMYK") if n % 2 else np.asarray(Image.open(file)) for n, file in enumerate(files)
    ]
    labels = [file.parent.name for file in files]
    model = hs.fit(photos, labels, model=str(small / "resnet18"), how="probe")
    exported = model.export(tmp_path / "openvino", quantize="int8", most_lost=1)
    assert exported.cost.n == model.scores.n
    assert exported.cost.before == model.scores.values["accuracy"]
    final = hs.fit(photos, labels, model=str(small / "resnet18"), how="probe", final=True)
    with pytest.raises(DataError, match="on examples that the model did not learn from, and there are 0"):
        final.export(tmp_path / "final", quantize="int8", most_lost=1)


KILLED = """
import os, signal, sys
import headstart as hs
from headstart.export import export
export._readme = lambda *facts: [print(flush=True), sys.stdin.readline(), os.kill(os.getpid(), signal.SIGKILL)]
hs.load(sys.argv[1]).export(sys.argv[2])
"""


def test_what_a_killed_export_left_goes_with_the_next_one(intents, tmp_path):
    """Whatever that is to be called; one that is under way is left alone."""
    intents.save(tmp_path / "saved")
    command = [sys.executable, "-c", KILLED, tmp_path / "saved", tmp_path / "first"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()  # all is written but the README
        intents.export(tmp_path / "second")
        assert len(list(tmp_path.glob(".first.*.new/predict.py"))) == 1
        process.communicate("\n")
    assert process.returncode == -signal.SIGKILL
    intents.export(tmp_path / "third")
    assert {path.name for path in tmp_path.iterdir()} == {"saved", "second", "third"}


def test_an_export_that_answers_otherwise_is_not_written(intents, tmp_path, monkeypatch):
    """One whose head is another, and one that gives no numbers."""

    def written_with(scale: float):
        def write(made, folder, quantise):
            ONNX.write(replace(made, head=replace(made.head, weight=made.head.weight * scale)), folder, quantise)

        return replace(ONNX, write=write)

    for scale, words in (
        (0.5, r"the export differs from headstart by 0\.\d+, and 0\.005 is allowed"),
        (np.nan, "no number"),
    ):
        monkeypatch.setattr(table, "FORMATS", (written_with(scale),))
        with pytest.raises(OutputError, match=rf"{words}; nothing was written"):
            intents.export(tmp_path / "wrong", format="onnx")
    assert list(tmp_path.iterdir()) == []


def test_one_that_cannot_be_used_spoils_no_other(intents, small, tmp_path):
    """predict.py says so in its place, as `headstart predict` does, and ends with 2."""
    intents.export(tmp_path / "openvino")
    hs.load(small / "resnet18.headstart").export(tmp_path / "photos")
    (tmp_path / "no.jpg").write_bytes(b"no photo")
    deep = Image.fromarray(np.full((40, 40), 40_000, np.uint16))
    deep.save(tmp_path / "deep.png")
    Image.new("RGB", (40, 40)).save(tmp_path / "program.eps")
    (tmp_path / "bomb.png").write_bytes(larger_than_it_is(20_000))
    photo = str(next((small / "photos").glob("*/*.jpg")))
    odd = [str(tmp_path / name) for name in ("no.jpg", "program.eps", "deep.png", "bomb.png")]
    words = ["cannot identify", "cannot identify", "8 bits", "decompression bomb"]
    for folder, given, said in (
        ("openvino", ["Where is my card?", " ", "half \udc80 a letter"], ["no text"]),
        ("photos", [photo, *odd, photo], words),
    ):
        lines, code = said_by(tmp_path / folder, *given)
        assert code == 2
        assert len(lines) == len(given)
        for line, word in zip(lines[1:-1], said, strict=True):
            assert "error: " in line
            assert word in line
        assert "error" not in lines[0] + lines[-1]


def said_by(folder: Path, *given: str) -> tuple[list[str], int]:
    """What predict.py prints where standard output takes nothing but UTF-8, and how it ends."""
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    command = [sys.executable, folder / "predict.py", *given]
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    return done.stdout.decode("utf-8", "surrogateescape").splitlines(), done.returncode


def larger_than_it_is(side: int) -> bytes:
    """A PNG that says it has so many pixels a side."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    content = bytearray(file.getvalue())
    content[16:24] = struct.pack(">II", side, side)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def test_a_terminal_obeys_no_name(tmp_path):
    """Of classes and inputs what a terminal would obey is printed as `headstart predict` prints it."""
    from conftest import QUESTIONS

    texts = [text for several in QUESTIONS.values() for text in several.split("?") if text.strip()]
    labels = [("\x1b]0;mine\x07", "\x9b31m")[n % 2] for n in range(len(texts))]
    hs.fit(texts, labels, model="all-MiniLM-L6-v2", how="probe").export(tmp_path / "openvino")
    lines, code = said_by(tmp_path / "openvino", "a card\x1b[2J\nand a line")
    assert (len(lines), code) == (1, 0)
    assert r"a card\x1b[2J\nand a line: " in lines[0]
    assert r"\x1b]0;mine\x07 0." in lines[0]
    assert r"\x9b31m 0." in lines[0]
    assert lines[0].isprintable()


def test_nothing_is_reported_to_anybody(intents, tmp_path):
    """openvino and onnxruntime write a number for the machine into the home folder, and report their uses."""
    for format in ("openvino", "onnx"):
        intents.export(tmp_path / format, format=format)
        home = tmp_path / f"home of {format}"
        home.mkdir()
        environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        command = [sys.executable, tmp_path / format / "predict.py", TEXTS[0]]
        subprocess.run(command, env=environment, capture_output=True, check=True)
        assert list(home.iterdir()) == []


def test_a_name_is_no_code(intents, tmp_path):
    folder = tmp_path / 'mine"""\nopen("ran", "w")\n"""'
    intents.save(folder)
    hs.load(folder).export(tmp_path / "openvino")
    printed(tmp_path / "openvino", TEXTS[0])
    assert not (tmp_path / "openvino" / "ran").exists()
    assert not Path("ran").exists()


def test_what_cannot_be_exported_is_said_and_leaves_nothing(intents, years, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("today")
    asked: list[tuple] = [
        (hs.load(years), "new", {}, UserError, "more than a backbone with a linear head"),
        (intents, "new", {"format": "onyx"}, UserError, r"unknown format 'onyx'.*one of: openvino"),
        (intents, "new", {"format": "timm"}, UserError, "its backbone is a model of transformers"),
        (intents, "new", {"quantize": "int4"}, UserError, "nothing is made int4"),
        (intents, "new", {"quantize": "int8", "format": "torch"}, UserError, "torch.export has no int8"),
        (intents, "new", {"quantize": "int8", "most_lost": 5}, UserError, "5 is no share"),
        (intents, "new", {"inputs": ["", " "]}, UserError, "no input"),
        (intents, "mine", {}, OutputError, "already there"),
    ]
    for model, folder, options, error, said in asked:
        with pytest.raises(error, match=f"(?s){said}"):
            model.export(tmp_path / folder, **options)
    assert [(path.name, len(os.listdir(path))) for path in tmp_path.iterdir()] == [("mine", 1)]
