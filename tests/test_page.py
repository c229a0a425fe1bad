"""The page of the server in a real browser: for every task it shows what the API says, and stores what is corrected."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from PIL import Image

from browser import browser
from headstart.serve.settings import Limits, Settings
from servers import Halted, running
from small_models import WORDS
from web_pages import refuse_bad_state, visited

pytestmark = pytest.mark.check

TOKEN = "a-token-of-the-tests"
CONTEXT = "😀 the old tower was built in 1931 by a king, and the house in 1907.\n" + "who came from the north " * 200


@pytest.fixture(scope="module")
def chromium():
    with browser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as opened:
        yield opened


@pytest.fixture(scope="module")
def server(to_serve, years, tmp_path_factory):
    folder = tmp_path_factory.mktemp("feedback")
    with running(*to_serve.values(), years, settings=Settings(token=TOKEN, feedback=folder)) as found:
        found.folder = folder
        yield found


@pytest.fixture
def page(chromium, server):
    with visited(chromium, f"http://127.0.0.1:{server.port}/#token={TOKEN}") as opened:
        yield opened


@pytest.fixture(scope="module")
def photos(textile) -> list[Path]:
    return [sorted((textile / name).glob("*.jpg"))[20] for name in ("global", "nominal")]


def choose_model(page, name: str) -> None:
    page.get_by_label("Model").select_option(name)
    page.get_by_role("heading", name=name, level=1).wait_for()


def ask(page, name: str, *texts: str) -> None:
    """Asks a model about a text, or two, and waits for the answer."""
    choose_model(page, name)
    boxes = ("Text",) if len(texts) == 1 else ("First text", "Second text")
    for box, text in zip(boxes, texts, strict=True):
        page.get_by_label(box, exact=True).fill(text)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.locator(".prediction").first.wait_for()


def api(server, model: str, given: object, **more: object) -> dict:
    (row,) = server.post("/v1/predict", {"inputs": [given], "model": model, **more}).json["predictions"]
    return row


def share(probability: float) -> str:
    if 0 < probability < 0.005:
        return "under 1 %"
    return "over 99 %" if 0.995 <= probability < 1 else f"{probability * 100:.0f} %"


def bars(page, number: int = 0) -> list[str]:
    """The classes of a result as they are read."""
    return [" ".join(each.split()) for each in page.locator("article").nth(number).locator("li").all_inner_texts()]


def stored(server, model: str) -> list[dict]:
    return [json.loads(line) for line in (server.folder / f"{model}.jsonl").read_text().splitlines()]


def test_the_token_leaves_the_address_and_is_kept_for_the_tab(chromium, server, page):
    home = f"http://127.0.0.1:{server.port}/"
    page.get_by_label("Model").wait_for()
    assert page.url == home
    page.reload()
    page.get_by_label("Model").wait_for()
    with visited(chromium, home, wrong=("401",)) as other:
        field = other.get_by_label("Token of this server")
        field.wait_for()
        refuse_bad_state(other)
        field.fill("another token")
        other.keyboard.press("Enter")
        other.get_by_text("The server refused the token").wait_for()
        field.fill(TOKEN)
        other.keyboard.press("Enter")
        other.get_by_label("Model").wait_for()
        assert field.count() == 0


def test_photos_are_answered_explained_and_corrected(server, page, photos):
    choose_model(page, "photos")
    page.get_by_label("Choose photos").set_input_files(photos)
    page.locator(".prediction").nth(1).wait_for()
    rows = server.send("/v1/predict", [(p.name, p.read_bytes()) for p in photos], model="photos").json["predictions"]
    for number, row in enumerate(rows):
        assert bars(page, number) == [f"{each['label']} {share(each['probability'])}" for each in row["top"]]
        card = page.locator("article").nth(number)
        assert card.get_by_text("Unlike anything").count() == bool(row["out_of_scope"])
        assert card.locator("img").evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
    first = page.locator("article").first
    first.get_by_role("button", name="Explain").click()
    heat = first.get_by_alt_text("Where in the photo")
    heat.wait_for()
    assert heat.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == Image.open(photos[0]).width
    assert first.get_by_text("% alike").count() == 5
    first.get_by_role("button", name="This is wrong").click()
    refuse_bad_state(page)
    first.get_by_label("nominal").check()
    first.get_by_role("button", name="Store it").click()
    first.get_by_text("The right answer is stored").wait_for()
    (kept,) = (server.folder / "photos" / "nominal").iterdir()
    assert kept.read_bytes() == photos[0].read_bytes()


def test_a_picture_of_the_camera_is_answered(page):
    choose_model(page, "photos")
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take this picture").click()
    page.locator("article .prediction").wait_for()
    page.get_by_role("button", name="Stop the camera").click()
    assert page.locator("video").count() == 0


def test_texts_are_answered_by_the_line_and_their_words_marked(server, page):
    lines = ["where is my new card", "the rate of it 😀 is new ?"]
    choose_model(page, "texts")
    page.get_by_label("Text", exact=True).fill("\n".join(lines))
    page.get_by_role("button", name="Ask about 2 texts").click()
    page.locator(".prediction").nth(1).wait_for()
    for number, line in enumerate(lines):
        top = api(server, "texts", line)["top"]
        assert bars(page, number) == [f"{each['label']} {share(each['probability'])}" for each in top]
    card = page.locator("article").nth(1)
    card.get_by_role("button", name="Explain").click()
    card.locator(".words").wait_for()
    assert card.locator(".words").inner_text() == lines[1]
    words = server.post("/v1/explain", {"input": lines[1], "model": "texts"}).json["words"]
    most = max(abs(word["weight"]) for word in words)
    strong = [word["text"] for word in words if 4 * abs(word["weight"]) >= most]
    assert card.locator(".words mark").all_inner_texts() == strong
    assert card.get_by_text("% alike").count() == 5
    refuse_bad_state(page)


def test_what_the_model_is_not_sure_of_is_said(server, page):
    rng = random.Random(1)
    given = [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) for _ in range(100)]
    rows = server.post("/v1/predict", {"inputs": given, "model": "texts", "abstain": 0.9}).json["predictions"]
    row = next(row for row in rows if row["unsure"])
    choose_model(page, "texts")
    page.get_by_label("Where it is not sure").select_option("It says so, and of its other answers 90 of 100 are right")
    page.get_by_label("Text", exact=True).fill(row["input"])
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_text("Not sure. This answer may well be wrong.").wait_for()
    assert page.get_by_text("Unlike anything it has learned from").count() == bool(row["out_of_scope"])
    refuse_bad_state(page)


def test_several_labels_are_answered_and_corrected(server, page):
    text = "where is my card and the rate"
    ask(page, "labels", text)
    row = api(server, "labels", text)
    chosen = [" ".join(each.split()) for each in page.locator("article li.chosen").all_inner_texts()]
    assert chosen == [f"{each['label']} {share(each['probability'])}" for each in row["labels"]]
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_label("card", exact=True).check()
    page.get_by_label("rate", exact=True).check()
    page.get_by_role("button", name="Store it").click()
    page.get_by_text("The right answer is stored").wait_for()
    (example,) = stored(server, "labels")
    assert sorted(next(value for value in example.values() if isinstance(value, list))) == ["card", "rate"]


def test_a_new_class_is_typed(server, page):
    ask(page, "texts", "my pin is lost")
    page.get_by_role("button", name="This is wrong").click()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Find a class, or type a new one"
    page.keyboard.type("lost and found")
    page.keyboard.press("Enter")
    assert page.get_by_label("lost and found (new)").is_checked()
    page.get_by_role("button", name="Store it").click()
    page.get_by_text("The right answer is stored").wait_for()
    assert "lost and found" in stored(server, "texts")[-1].values()


def test_numbers_have_their_interval_and_are_corrected(server, page):
    text = "card card pin"
    ask(page, "numbers", text)
    row = api(server, "numbers", text)
    shown = [line for line in page.locator("article .prediction").inner_text().split("\n") if line]
    assert float(shown[0]) == pytest.approx(row["value"], abs=(row["interval"][1] - row["interval"][0]) / 20)
    assert shown[1].startswith("between ")
    assert shown[1].endswith(" in 90 % of cases")
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_label("The right number").fill("no number")
    assert page.get_by_role("button", name="Store it").is_disabled()
    page.get_by_label("The right number").fill("1.5")
    page.get_by_role("button", name="Store it").click()
    page.get_by_text("The right answer is stored").wait_for()
    assert 1.5 in stored(server, "numbers")[-1].values()


def test_pairs_are_two_boxes(server, page):
    pair = ("where is my card", "a new card")
    ask(page, "pairs", *pair)
    row = api(server, "pairs", {"text": pair[0], "text2": pair[1]})
    assert bars(page) == [f"{each['label']} {share(each['probability'])}" for each in row["top"]]
    page.get_by_role("button", name="Explain").click()
    page.locator(".words").nth(1).wait_for()
    assert page.locator(".words").all_inner_texts() == list(pair)
    refuse_bad_state(page)


def test_an_answer_is_marked_where_it_stands_in_the_text(server, page, years, tmp_path):
    choose_model(page, years.name)
    (tmp_path / "tower.txt").write_text(CONTEXT, encoding="utf-8")
    page.get_by_label("Open a text file").set_input_files(tmp_path / "tower.txt")
    page.get_by_label("Question").fill("when was it built?")
    page.keyboard.press("Enter")
    page.locator(".document").wait_for()
    asked = {"question": "when was it built?", "context": CONTEXT, "model": years.name}
    answers = server.post("/v1/answer", asked).json["answers"]
    assert page.locator("article li").first.inner_text().split("\n")[0] == answers[0]["answer"] == "1931"
    assert page.locator("mark.shown").inner_text() == "1931"
    before = """(mark) => {
      const range = document.createRange();
      range.setStart(mark.parentNode, 0);
      range.setEndBefore(mark);
      return range.toString();
    }"""
    assert page.locator("mark.shown").evaluate(before) == "😀 the old tower was built in "
    page.get_by_role("button", name="Explain").click()
    page.locator(".words").nth(1).wait_for()
    assert page.locator(".words").all_inner_texts() == ["when was it built?", CONTEXT]
    refuse_bad_state(page)
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_label("The right answer").fill("1907")
    page.get_by_role("button", name="Store it").click()
    page.get_by_text("The right answer is stored").wait_for()
    assert stored(server, years.name)[-1]["answer"] == "1907"
    page.get_by_label("Text to look in").fill("the king")
    page.get_by_label("Question").fill("when was it built?")
    page.get_by_role("button", name="Find the answer").click()
    page.locator("article").get_by_text("No answer in this text").wait_for()


def test_everything_is_done_by_keys(page):
    choose_model(page, "texts")
    page.get_by_label("Model").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("where is my card")
    page.keyboard.press("Control+Enter")
    page.locator(".prediction").wait_for()
    for _ in range(4):  # ask, how careful, remove, explain
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Explain"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # this is wrong
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.locator("input[type=radio]:checked").count() == 1
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # not stored after all
    assert page.evaluate("document.activeElement.textContent.trim()") == "This is wrong"


def test_errors_of_the_server_are_shown_as_they_are(chromium, to_serve, tmp_path):
    contents = {"broken.jpg": b"\xff\xd8\xff no photo", "large.png": b"\x89PNG\r\n\x1a\n" + bytes(5000)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with (
        running(to_serve["photos"], to_serve["texts"], settings=Settings(limits=Limits(body=4000, text=20))) as small,
        visited(chromium, f"http://127.0.0.1:{small.port}/", wrong=("413", "422")) as page,
    ):
        page.get_by_label("Choose photos").set_input_files([tmp_path / name for name in contents])
        page.get_by_role("alert").nth(1).wait_for()
        broken, large = (small.send("/v1/predict", [each]).json for each in contents.items())
        said = [broken["predictions"][0]["error"], large["error"]]
        assert page.get_by_role("alert").all_inner_texts() == said
        assert page.get_by_role("button", name="This is wrong").count() == 0
        choose_model(page, "texts")
        text = "where is my card" * 9
        page.get_by_label("Text", exact=True).fill(text)
        page.get_by_role("button", name="Ask", exact=True).click()
        page.get_by_role("alert").wait_for()
        assert (
            page.get_by_role("alert").inner_text()
            == small.post("/v1/predict", {"inputs": [text], "model": "texts"}).json["error"]
        )
        refuse_bad_state(page)


def test_where_the_server_has_too_much_to_do_the_page_waits_its_turn(chromium, to_serve):
    halted = Halted()
    with (
        running(to_serve["texts"], settings=Settings(limits=Limits(queue=1)), served=halted) as found,
        visited(chromium, f"http://127.0.0.1:{found.port}/", wrong=("503",)) as page,
    ):
        halted.halt()
        page.get_by_label("Text", exact=True).fill("where is my card\nthe rate")
        with page.expect_response(lambda response: response.status == 503):
            page.get_by_role("button", name="Ask about 2 texts").click()
        halted.goes_on.set()
        page.locator(".prediction").nth(1).wait_for()


def test_a_server_that_is_away_is_asked_again_until_it_is_there(chromium, to_serve):
    with (
        running(to_serve["texts"]) as found,
        visited(chromium, f"http://127.0.0.1:{found.port}/", wrong=("ERR_INTERNET",)) as page,
    ):
        page.get_by_label("Text", exact=True).fill("where is my card")
        assert page.get_by_label("Model").count() == 0  # there is one alone
        page.context.set_offline(True)
        page.get_by_role("button", name="Ask", exact=True).click()
        page.get_by_text("The server does not answer.").wait_for()
        page.context.set_offline(False)
        page.locator(".prediction").wait_for()
        assert page.get_by_text("The server does not answer.").count() == 0
        assert page.get_by_role("button", name="This is wrong").count() == 0  # it takes none
