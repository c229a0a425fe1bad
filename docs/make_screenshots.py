"""Write the pictures of docs/report.md: real pages in Chromium, wide and on a phone. `make screenshots`.

Photos are of the package conformal-clip-data, texts are made here.
"""

from __future__ import annotations

import importlib.util
import io
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

import headstart as hs

DOCS = Path(__file__).parent
MOST = 200_000  # bytes of a picture
ABOUT = {
    "card arrival": ["my new card", "the card I ordered", "a replacement card"],
    "card lost": ["my card", "the card that I lost", "a stolen card"],
    "exchange rate": ["the exchange rate", "your rate for euros", "a currency rate"],
    "change pin": ["my PIN", "the passcode", "a new PIN"],
}
SAID = ["Where is {}?", "I have a question about {}.", "Something is wrong with {}!", "Tell me about {}, please."]


def photos() -> Path:
    spec = importlib.util.find_spec("conformal_clip_data")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install conformal-clip-data")
    return Path(spec.origin).parent / "data" / "textile_images" / "simulated"


def texts(folder: Path) -> Path:
    """Questions of four kinds, a few of them labelled wrongly."""
    draw, rows = random.Random(0), ["text,label"]
    for number in range(240):
        label = draw.choice(list(ABOUT))
        said = draw.choice(SAID).format(draw.choice(ABOUT[label]))
        rows.append(f'"{said} ({number})",{draw.choice(list(ABOUT)) if number % 25 == 0 else label}')
    (folder / "questions.csv").write_text("\n".join(rows) + "\n")
    return folder / "questions.csv"


def main() -> None:
    path = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("no Chromium here")
    with tempfile.TemporaryDirectory() as work, browser(path) as opened:
        folder = Path(work)
        for name, data, model in (
            ("photos", photos(), "efficientnet_lite0"),
            ("texts", texts(folder), "all-MiniLM-L6-v2"),
        ):
            hs.fit(data, model=model, how="probe", out=folder / name)
            file = folder / name / "report.html"
            picture(opened, file, DOCS / f"report-{name}.webp", width=1280, height=1500)
            picture(opened, file, DOCS / f"report-{name}-narrow.webp", width=390, height=1500, dark=True)
            if name == "photos":
                picture(opened, file, DOCS / "report-cell.webp", width=1280, height=720, click=".matrix .miss button")


@contextmanager
def browser(path: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        environment = {**os.environ, "TMPDIR": "/tmp"}  # a long one leaves no room for the name of Chromium's socket
        flags = ["--no-sandbox", "--disable-gpu"]
        opened = playwright.chromium.launch(executable_path=path, args=flags, env=environment)
        yield opened
        opened.close()


def picture(opened: Any, file: Path, to: Path, *, width: int, height: int, dark: bool = False, click: str = "") -> None:
    """What of a page is seen first, or once something was clicked."""
    scheme = "dark" if dark else "light"
    page = opened.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(file.as_uri())
    if click:
        page.locator(click).first.click()
        page.wait_for_timeout(300)
    seen = Image.open(io.BytesIO(page.screenshot()))
    seen.save(to, "WEBP", quality=80, method=6)
    page.close()
    if to.stat().st_size > MOST:
        raise SystemExit(f"{to.name} has {to.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
