"""A web export of a real model, in a real browser: the page says what headstart says."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from browser import browser
from headstart.export.program import opened
from topics import mixed, same_or_not
from web_pages import hosted, visited

pytestmark = pytest.mark.check
STARTER = {"model": "efficientnet_lite0", "how": "probe"}
PIXELS = "([w, h, b]) => window.headstart.predictPixels(w, h, Uint8Array.from(atob(b), (c) => c.charCodeAt(0)))"
PHOTO = "(b) => window.headstart.predictPhoto(new Blob([Uint8Array.from(atob(b), (c) => c.charCodeAt(0))]))"
READY = "() => window.headstart !== undefined"


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened_browser:
        yield opened_browser


def said(page, script: str, given: object) -> np.ndarray:
    return np.array(page.evaluate(f"async (given) => Array.from(await ({script})(given))", given))


def jpegs(photo: Path) -> list[bytes]:
    """A photo as it is, grey, turned, and large."""
    turned = Image.Exif()
    turned[0x0112] = 6
    image = Image.open(photo).convert("RGB")
    forms = [(image, {}), (image.convert("L"), {}), (image, {"exif": turned}), (image.resize((1500, 1100)), {})]
    files = [photo.read_bytes()]
    for form, options in forms[1:]:
        file = io.BytesIO()
        form.save(file, "JPEG", quality=92, **options)
        files.append(file.getvalue())
    return files


def test_photos(textile, tmp_path, chromium):
    model = hs.fit(textile, out=tmp_path / "saved", budget="20s", **STARTER)
    model.export(tmp_path / "web", format="web", inputs=sorted(map(str, textile.glob("*/*.jpg")))[::100])
    in_python = opened(tmp_path / "web")
    with hosted(tmp_path / "web") as url, visited(chromium, url) as page:
        page.wait_for_function(READY)
        for photo in sorted(textile.glob("*/*.jpg"))[::300]:
            pixels = np.asarray(Image.open(photo).convert("RGB"))
            given = [pixels.shape[1], pixels.shape[0], base64.b64encode(pixels.tobytes()).decode()]
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            np.testing.assert_allclose(said(page, PIXELS, given), in_python(file), atol=1e-4)
            for content in jpegs(photo):
                own = in_python(io.BytesIO(content))
                shown = said(page, PHOTO, base64.b64encode(content).decode())
                np.testing.assert_allclose(shown, own, atol=0.02)
                assert shown.argmax() == own.argmax() or np.sort(own)[-1] - np.sort(own)[-2] < 0.02


def test_texts_labels_and_pairs(tmp_path, chromium):
    texts, labels = zip(*mixed(60), strict=True)
    pairs = same_or_not(60)
    kinds = {
        "labels": (hs.fit(texts, labels, model="all-MiniLM-L6-v2", how="probe"), texts[:6]),
        "pairs": (
            hs.fit([(a, b) for a, b, _ in pairs], [c for _, _, c in pairs], model="all-MiniLM-L6-v2", how="probe"),
            [(a, b) for a, b, _ in pairs[:6]],
        ),
    }
    for name, (model, asked) in kinds.items():
        model.export(tmp_path / name, format="web")
        in_python = opened(tmp_path / name)
        with hosted(tmp_path / name) as url, visited(chromium, url) as page:
            page.wait_for_function(READY)
            for given in asked:
                words = [given] if isinstance(given, str) else list(given)
                shown = said(page, "(words) => window.headstart.predictText(...words)", words)
                np.testing.assert_allclose(shown, in_python(given), atol=1e-4)
