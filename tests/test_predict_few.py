"""Few inputs that a model is asked about: each is read once, whatever it comes as, and no setting stays changed."""

from __future__ import annotations

import io
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info

import headstart as hs
from headstart.encode.machine import FEW, algebra_of


@pytest.fixture(scope="module")
def model(to_serve):
    return hs.load(to_serve["photos"])


@pytest.fixture
def files(textile) -> list[Path]:
    return sorted((textile / "nominal").glob("*.jpg"))[20:24]


def algebra() -> list[int]:
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_a_file_is_opened_once(model, files):
    opened: list[str] = []
    watching = False

    def watch(event: str, arguments: tuple) -> None:
        if watching and event == "open" and str(arguments[0]) == str(files[0]):
            opened.append(event)

    sys.addaudithook(watch)
    watching = True
    model.predict(str(files[0]))
    watching = False
    assert len(opened) == 1


def test_bytes_paths_and_pictures_are_answered_alike(model, files):
    content = files[0].read_bytes()
    (by_path,) = model.predict([files[0]])
    for given in (content, bytearray(content), memoryview(content)):
        (other,) = model.predict([given])
        assert other.probability == by_path.probability
    picture = Image.open(io.BytesIO(content))
    (by_picture,), (by_array,) = model.predict([picture]), model.predict([np.asarray(picture.convert("RGB"))])
    assert by_picture.probability == by_array.probability == pytest.approx(by_path.probability, abs=0.05)


def test_few_are_answered_as_many_are(model, files):
    """Of many, the features are in the store."""
    many = model.predict([*files, *files[:1] * FEW])
    few = model.predict(files)
    for one, other in zip(few, many, strict=False):
        assert one.label == other.label
        assert one.probability == pytest.approx(other.probability, abs=1e-3)


def test_reasons_are_the_same_for_few_and_many(model, files, tmp_path):
    content = files[0].read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "empty.jpg").write_bytes(b"")
    wrong = [tmp_path / name for name in ("cut.jpg", "a.pdf", "empty.jpg", "none.jpg")] + [b"no photo", 3, None]
    few = [one.error for one in model.predict([files[0], *wrong])]
    many = [one.error for one in model.predict([files[0], *wrong, *files[:1] * FEW])][: len(few)]
    assert few == many
    assert few[0] == ""
    assert all(few[1:])


def test_linear_algebra_has_its_threads_again():
    """However many asked at once."""
    before = algebra()
    together = threading.Barrier(4)

    def ask(rows: int) -> list[int]:
        with algebra_of(rows):
            together.wait(60)
            return algebra()

    with ThreadPoolExecutor(4) as pool:
        within = list(pool.map(ask, [1, 2, FEW, 3]))
    assert within == [[1] * len(before)] * 4
    assert algebra() == before
    with algebra_of(FEW + 1):
        assert algebra() == before
