"""The page of a web export: a model runs in a real browser, asks nothing of a network, and says what Python says."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from browser import browser, serious
from web_pages import hosted, refuse_bad_state, small_tokenizer, small_web_model, visited

PAGES = Path(hs.__file__).parent / "export" / "web"
NEAR = 1e-4
TEXTS = {"max_length": 8, "most_characters": 200, "windows": 1, "prefix": "", "pad_id": 0, "pair": None}
OF_TEXTS = {"task": "text-classification", "name": "questions", "images": None, "texts": TEXTS}

pytestmark = pytest.mark.check


@pytest.fixture(scope="module")
def chromium():
    with browser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as opened:
        yield opened


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = small_web_model(tmp_path_factory.mktemp("web") / "photos", PAGES)
    with hosted(folder) as url:
        yield folder, url


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = small_web_model(tmp_path_factory.mktemp("web") / "texts", PAGES, **OF_TEXTS)
    with hosted(folder) as url:
        yield folder, url


def picture(width: int = 90, height: int = 60) -> Image.Image:
    """Light at the left, and some red at the top: no turn of it looks like it."""
    across, down = np.meshgrid(np.linspace(255, 0, width), np.linspace(255, 0, height))
    return Image.fromarray(np.stack([down, across, across], axis=2).astype(np.uint8))


def content_of(image: Image.Image, form: str, **how: object) -> bytes:
    content = io.BytesIO()
    image.save(content, form, **how)
    return content.getvalue()


def onnxruntime_says(folder: Path, **feeds: np.ndarray) -> np.ndarray:
    import onnxruntime

    return onnxruntime.InferenceSession(str(folder / "model.onnx")).run(None, feeds)[0][0]


def pixels_say(folder: Path, image: Image.Image) -> np.ndarray:
    return onnxruntime_says(folder, pixels=np.asarray(image.convert("RGB"))[None])


def text_says(folder: Path, *given: str) -> np.ndarray:
    """As predict.py of an exported folder reads texts."""
    told = json.loads((folder / "model.json").read_text())["texts"]
    tokenizer = small_tokenizer()
    tokenizer.enable_truncation(told["max_length"])

    def tokens(*texts: str) -> list[list[int]]:
        made = tokenizer.encode(*(told["prefix"] + text[: told["most_characters"]] for text in texts))
        return [window.ids for window in (made, *made.overflowing[: told["windows"] - 1])]

    rows = [tokens(text)[0] for text in given] if told["pair"] == "apart" else tokens(*given)
    longest = max(map(len, rows))
    ids = np.array([row + [0] * (longest - len(row)) for row in rows])
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return onnxruntime_says(folder, ids=ids, mask=mask)


def photo_in_page(page, content: bytes) -> np.ndarray:
    """What the page says of a photo's file."""
    outputs = page.evaluate(
        """async (content) => {
          const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
          return window.headstart.predictPhoto(new Blob([bytes]));
        }""",
        base64.b64encode(content).decode(),
    )
    return np.array(outputs)


def best(outputs: np.ndarray, classes: list[str]) -> str:
    """The likeliest class and its share, as the page writes them."""
    top = int(np.argmax(outputs))
    return f"{classes[top]} {100 * outputs[top]:.0f} %"


def chosen(page, number: int = 0) -> str:
    """What the page has marked in a result."""
    return " ".join(page.locator("article").nth(number).locator("li.chosen").first.inner_text().split())


def test_photos_that_are_chosen_are_answered_as_onnxruntime_does(chromium, photos, tmp_path):
    folder, url = photos
    told = json.loads((folder / "model.json").read_text())
    long = "a_photo_that_somebody_took_on_a_day_in_may_and_gave_a_name_that_is_long.png"
    files = {"a.png": picture(), "b.png": picture().rotate(180), long: picture(60, 90)}
    for name, image in files.items():
        image.save(tmp_path / name)
    with visited(chromium, url) as page:
        page.get_by_label("Choose photos").set_input_files([tmp_path / name for name in files])
        page.locator(".prediction").nth(2).wait_for()
        for number, (name, image) in enumerate(files.items()):
            assert page.locator("article").nth(number).get_attribute("aria-label") == name
            assert chosen(page, number) == best(pixels_say(folder, image), told["classes"])
        refuse_bad_state(page)
        page.get_by_role("button", name="Remove b.png").click()
        assert page.locator("article").count() == 2
        page.get_by_role("button", name="Remove all").click()
        assert page.get_by_text("Answers come here.").is_visible()


def test_pixels_give_what_onnxruntime_gives(chromium, photos):
    folder, url = photos
    image = picture(160, 120)
    with visited(chromium, url) as page:
        asked = [image.width, image.height, np.asarray(image).ravel().tolist()]
        found = page.evaluate("([w, h, rgb]) => window.headstart.predictPixels(w, h, new Uint8Array(rgb))", asked)
        assert np.abs(np.array(found) - pixels_say(folder, image)).max() < NEAR
        why = page.evaluate(
            "() => window.headstart.predictPixels(3, 3, new Uint8Array(4)).catch((error) => error.message)"
        )
        assert why == "4 numbers are no 3 x 3 pixels."


def test_a_photo_is_seen_upright_over_white_and_without_its_colour_profile(chromium, photos):
    from PIL import ImageCms

    folder, url = photos
    image = picture()
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter
    upright = image.transpose(Image.Transpose.ROTATE_270)
    clear = image.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    over_white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), clear)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with visited(chromium, url) as page:
        for content, expected in [
            (content_of(image, "PNG", exif=turned), upright),
            (content_of(clear, "PNG"), over_white),
            (content_of(image, "PNG", icc_profile=profile), image),
            (content_of(image.convert("L"), "PNG"), image.convert("L")),
        ]:
            assert np.abs(photo_in_page(page, content) - pixels_say(folder, expected)).max() < 2e-3
        jpeg = content_of(image, "JPEG", quality=95, exif=turned)
        assert np.abs(photo_in_page(page, jpeg) - pixels_say(folder, upright)).max() < 1e-2


def test_a_large_photo_is_reduced_as_the_jpeg_decoder_does(chromium, photos):
    folder, url = photos
    content = content_of(picture(1403, 701), "JPEG", quality=95)
    reduced = Image.open(io.BytesIO(content))
    reduced.draft("RGB", (1403 // 8, 701 // 8))
    assert reduced.size == (176, 88)
    with visited(chromium, url) as page:
        assert np.abs(photo_in_page(page, content) - pixels_say(folder, reduced)).max() < 2e-3


def test_a_photo_of_more_than_eight_bits_is_refused_rather_than_guessed_at(chromium, photos):
    _, url = photos
    content = content_of(Image.fromarray(np.full((9, 9), 4000, np.uint16)), "PNG")
    with visited(chromium, url) as page, pytest.raises(Exception, match="more than 8 bits of grey"):
        photo_in_page(page, content)


def test_a_file_that_is_no_photo_is_said_and_the_others_are_answered(chromium, photos, tmp_path):
    _, url = photos
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    picture().save(tmp_path / "a.png")
    with visited(chromium, url) as page:
        page.get_by_label("Choose photos").set_input_files([tmp_path / "broken.jpg", tmp_path / "a.png"])
        page.locator(".prediction").wait_for()
        refused = page.get_by_role("article", name="broken.jpg")
        assert "Save it as JPEG or PNG" in refused.get_by_role("alert").inner_text()
        assert refused.get_by_text("No preview").is_visible()
        refuse_bad_state(page)


def test_a_photo_is_dropped_or_pasted_anywhere(chromium, photos):
    _, url = photos
    given = base64.b64encode(content_of(picture(), "PNG")).decode()
    give = """([content, name, kind]) => {
      const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
      const files = new DataTransfer();
      files.items.add(new File([bytes], name, { type: "image/png" }));
      const how = { bubbles: true, cancelable: true };
      const event = kind === "paste" ? new ClipboardEvent(kind, { clipboardData: files, ...how })
        : new DragEvent(kind, { dataTransfer: files, ...how });
      document.querySelector("h1").dispatchEvent(event);
    }"""
    with visited(chromium, url) as page:
        page.get_by_text("drop them anywhere").wait_for()
        page.evaluate(give, [given, "dropped.png", "drop"])
        page.evaluate(give, [given, "pasted.png", "paste"])
        page.locator(".prediction").nth(1).wait_for()
        names = [each.get_attribute("aria-label") for each in page.locator("article").all()]
        assert names == ["pasted.png", "dropped.png"]


def test_the_camera_is_answered_live_until_it_is_stopped(chromium, photos):
    _, url = photos
    with visited(chromium, url) as page:
        page.get_by_role("button", name="Use the camera").click()
        live = page.get_by_label("What the camera sees now")
        live.locator("li.chosen").wait_for()
        page.get_by_role("button", name="Take this picture").click()
        page.locator("article .prediction").wait_for()
        refuse_bad_state(page)
        page.get_by_role("button", name="Stop the camera").click()
        live.wait_for(state="detached")
        assert page.locator("video").count() == 0


def test_texts_are_answered_as_onnxruntime_does(chromium, texts):
    folder, url = texts
    told = json.loads((folder / "model.json").read_text())
    lines = ["Where is my card?", "The new rate is lost. Is the new rate lost? Where is it?", "ΣΑΣ \ud800 pin"]
    with visited(chromium, url) as page:
        for line in lines:
            found = page.evaluate("(text) => window.headstart.predictText(text)", line)
            assert np.abs(np.array(found) - text_says(folder, line.replace("\ud800", "\ufffd"))).max() < NEAR
        page.get_by_label("Text", exact=True).fill("\n".join(lines[:2]))
        page.get_by_role("button", name="Ask about 2 texts").click()
        page.locator(".prediction").nth(1).wait_for()
        assert [chosen(page, i) for i in (0, 1)] == [best(text_says(folder, t), told["classes"]) for t in lines[:2]]
        page.get_by_label("Each line is a text of its own").uncheck()
        page.get_by_role("button", name="Ask", exact=True).click()
        page.locator(".prediction").nth(2).wait_for()
        assert chosen(page) == best(text_says(folder, "\n".join(lines[:2])), told["classes"])
        refuse_bad_state(page)


LONG = "where is my card the rate is lost the pin is new where is the card ? my pin my rate the new card is lost"


@pytest.mark.parametrize("longest", [4, 7, 8, 30])
def test_long_texts_and_pairs_lose_what_they_lose_in_python(chromium, tmp_path, longest):
    cases = {
        "windows": ({"windows": 3}, [(LONG,), (LONG[:70],), ("pin",)]),
        "cut": ({"prefix": "new ", "most_characters": 20}, [(LONG,), ("😀 " * 9 + "pin card",)]),
        "apart": ({"pair": "apart"}, [(LONG, "the pin"), ("pin", LONG)]),
        "joined": (
            {"pair": "joined"},
            [(LONG, "the pin"), ("pin", LONG), (LONG, LONG), ("pin", "rate"), (LONG, LONG[:15])],
        ),
    }
    for name, (facts, asked) in cases.items():
        texts = {**TEXTS, "max_length": longest, **facts}
        folder = small_web_model(tmp_path / name, PAGES, **{**OF_TEXTS, "texts": texts})
        with hosted(folder) as url, visited(chromium, url) as page:
            for given in asked:
                found = page.evaluate("(given) => window.headstart.predictText(...given)", list(given))
                assert np.abs(np.array(found) - text_says(folder, *given)).max() < NEAR, (name, given)
            why = page.evaluate("() => window.headstart.predictText(' ', ' ').catch((error) => error.message)")
            assert why in ("One of the texts is empty.", "This model takes one text at once.")


def test_of_two_classes_one_is_answered_from_its_own_probability_on(chromium, tmp_path):
    two = {**OF_TEXTS, "classes": ["no", "yes"]}
    outputs = text_says(small_web_model(tmp_path / "m", PAGES, **two), "where is my card")
    top = int(outputs.argmax())
    decision = {"class": two["classes"][top], "from": float(outputs[top]) + 0.001}
    with (
        hosted(small_web_model(tmp_path / "n", PAGES, **two, decision=decision)) as url,
        visited(chromium, url) as page,
    ):
        page.get_by_label("Text", exact=True).fill("where is my card")
        page.get_by_role("button", name="Ask").click()
        page.locator(".prediction").wait_for()
        assert chosen(page).startswith(two["classes"][1 - top])


def test_everything_is_done_by_keys(chromium, texts):
    _, url = texts
    with visited(chromium, url) as page:
        page.get_by_label("Text", exact=True).wait_for()
        page.keyboard.press("Tab")  # a file of text
        assert page.evaluate("document.activeElement.type") == "file"
        page.keyboard.press("Tab")
        page.keyboard.type("where is my card")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.locator(".prediction").wait_for()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Remove where is my card"
        page.keyboard.press("Enter")
        assert page.locator("article").count() == 0
        page.get_by_label("Text", exact=True).focus()
        page.keyboard.press("Control+Enter")
        page.locator(".prediction").wait_for()


def test_a_text_comes_from_a_file(chromium, texts, tmp_path):
    _, url = texts
    (tmp_path / "a.txt").write_text("where is my pin?", encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    with visited(chromium, url) as page:
        page.get_by_label("Open a text file").set_input_files(tmp_path / "a.txt")
        page.get_by_role("button", name="Ask", exact=True).click()
        page.get_by_role("article", name="where is my pin?").locator(".prediction").wait_for()
        page.get_by_label("Open a text file").set_input_files(tmp_path / "b.txt")
        assert "b.txt: not a text in UTF-8" in page.get_by_role("alert").inner_text()
        assert page.get_by_label("Text", exact=True).input_value() == "where is my pin?"


def test_pairs_numbers_and_several_labels(chromium, tmp_path):
    pairs = {**OF_TEXTS, "texts": {**TEXTS, "pair": "apart"}, "outputs": "values", "classes": []}
    number = small_web_model(tmp_path / "n", PAGES, **pairs, interval={"half_width": 0.5, "holds": 0.9})
    thresholds = [0.01, 0.999, 0.01, 0.999]
    labels = small_web_model(tmp_path / "l", PAGES, **OF_TEXTS, exclusive=False, thresholds=thresholds)
    with hosted(number) as url, visited(chromium, url) as page:
        page.get_by_label("First text").fill("where is my card")
        page.get_by_label("Second text").fill("the new pin")
        page.get_by_role("button", name="Ask").click()
        value = float(text_says(number, "where is my card", "the new pin")[0])
        low, at, high = (f"{each:.2f}" for each in (value - 0.5, value, value + 0.5))
        assert page.locator(".headline").inner_text() == at
        assert f"between {low} and {high} in 90 % of cases" in page.locator("article").inner_text()
        refuse_bad_state(page)
    with hosted(labels) as url, visited(chromium, url) as page:
        page.get_by_label("Text", exact=True).fill("where is my card")
        page.get_by_role("button", name="Ask").click()
        page.locator(".prediction").wait_for()
        assert page.locator("li.chosen").count() == 2
        assert {each.split("\n")[0] for each in page.locator("li.chosen").all_inner_texts()} == {"left", "top"}


def test_a_folder_that_is_opened_as_a_file_says_what_to_do(chromium, photos):
    folder, _ = photos
    page = chromium.new_page(color_scheme="dark")
    page.goto((folder / "index.html").as_uri())
    page.get_by_text("python -m http.server 8000").wait_for(state="visible")
    assert "not where it is opened as a file" in page.inner_text("main")
    assert page.evaluate("getComputedStyle(document.querySelector('main')).display") == "grid"  # its style is there
    assert serious(page) == []
    page.close()


@pytest.mark.parametrize("missing", ["model.onnx", "model.json", "onnxruntime.wasm.gz"])
def test_a_file_that_is_not_there_is_named(chromium, tmp_path, missing):
    folder = small_web_model(tmp_path / "m", PAGES)
    (folder / missing).unlink()
    with hosted(folder) as url, visited(chromium, url, wrong=("404",)) as page:
        said = page.get_by_role("alert")
        said.wait_for()
        assert said.inner_text() == f"{missing} cannot be read (404). Is the whole folder there?"
        refuse_bad_state(page)


def test_a_host_may_expand_what_is_compressed(chromium, tmp_path):
    """Some hosts send .gz with "Content-Encoding: gzip", and the page gets it expanded."""
    import gzip

    folder = small_web_model(tmp_path / "m", PAGES)
    runtime = folder / "onnxruntime.wasm.gz"
    runtime.write_bytes(gzip.decompress(runtime.read_bytes()))
    with hosted(folder) as url, visited(chromium, url) as page:
        found = page.evaluate("() => window.headstart.predictPixels(1, 1, new Uint8Array(3))")
        assert sum(found) == pytest.approx(1)


def test_where_the_host_allows_it_several_threads_give_the_same(chromium, photos):
    folder, _ = photos
    alone = {"Cross_Origin_Opener_Policy": "same-origin", "Cross_Origin_Embedder_Policy": "require-corp"}
    image = picture()
    with hosted(folder, **alone) as url, visited(chromium, url) as page:
        assert page.evaluate("crossOriginIsolated")
        asked = [image.width, image.height, np.asarray(image).ravel().tolist()]
        found = page.evaluate("([w, h, rgb]) => window.headstart.predictPixels(w, h, new Uint8Array(rgb))", asked)
        assert np.abs(np.array(found) - pixels_say(folder, image)).max() < NEAR
        assert len(page.workers) > 1


def test_a_strict_policy_of_the_host_is_enough(chromium, texts):
    """The one that the page states itself, sent with every file: it holds within the worker, too."""
    folder, _ = texts
    policy = re.search(r'content="(default-src[^"]+)"', (folder / "index.html").read_text())
    with hosted(folder, Content_Security_Policy=policy[1]) as url, visited(chromium, url) as page:
        found = page.evaluate("() => window.headstart.predictText('where is my card')")
        assert np.abs(np.array(found) - text_says(folder, "where is my card")).max() < NEAR
