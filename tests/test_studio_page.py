"""The page of the studio in a real browser: from nothing to a web page to download, with photos and with a table."""

from __future__ import annotations

import base64
import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from browser import browser
from headstart.serve.settings import Settings
from studios import Client, running
from web_pages import refuse_bad_state, visited

pytestmark = pytest.mark.check

TOKEN = "a-token-of-the-tests"
TRAINED = 240_000  # milliseconds in which 30 seconds of training have to be over on any machine
# The report within the page is a document of its own, whose script may not take the focus; and a test cuts the network.
EXPECTED = ("Blocked autofocusing", "ERR_INTERNET_DISCONNECTED")


@pytest.fixture(scope="module")
def chromium():
    with browser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as opened:
        yield opened


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("studio") / "workspace"


@pytest.fixture(scope="module")
def studio(workspace):
    """With a token: what a page may not fetch with one it may not fetch without."""
    with running(workspace, settings=Settings(token=TOKEN)) as client:
        yield client


def address(studio: Client) -> str:
    return f"http://127.0.0.1:{studio.port}/" + (f"#token={TOKEN}" if studio.headers else "")


@pytest.fixture
def page(chromium, studio):
    with visited(chromium, address(studio), wrong=EXPECTED) as opened:
        opened.set_default_timeout(60_000)
        yield opened


@pytest.fixture
def some(textile):
    """So many photos of a kind."""

    def of(name: str, n: int, *, start: int = 0) -> list[Path]:
        return sorted((textile / name).glob("*.jpg"))[start : start + n]

    return of


def new_project(page, name: str, kind: str = "Photos") -> None:
    """From the list of projects."""
    heading = page.get_by_role("heading", name="Your first project")
    button = page.get_by_role("button", name="New project")
    heading.or_(button).wait_for()
    if button.count():
        button.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("radio", name=kind).check()
    page.get_by_role("button", name="Make the project").click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def add_class(page, name: str) -> Any:
    """Gives its column."""
    field = page.get_by_placeholder("What its photos show")
    field.fill(name)
    field.press("Enter")
    column = page.get_by_role("region", name=f"Class {name}")
    column.wait_for()
    return column


def drop(target, files: Sequence[Path]) -> None:
    """Files are let go above something."""
    given = [(file.name, base64.b64encode(file.read_bytes()).decode()) for file in files]
    data = target.page.evaluate_handle(
        """(given) => {
          const data = new DataTransfer();
          for (const [name, content] of given) {
            const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
            data.items.add(new File([bytes], name, { type: name.endsWith('.jpg') ? 'image/jpeg' : 'text/plain' }));
          }
          return data;
        }""",
        given,
    )
    target.dispatch_event("dragover", {"dataTransfer": data})
    target.dispatch_event("drop", {"dataTransfer": data})


def step(page, name: str) -> None:
    page.get_by_role("navigation", name="Steps").get_by_role("link", name=re.compile(f"^{name}")).click()
    page.get_by_role("region", name=name, exact=True).wait_for()


def look_again(page) -> None:
    """As somebody does who comes back to the window."""
    page.evaluate("dispatchEvent(new Event('focus'))")


def photos_in(column) -> int:
    return column.get_by_role("option").count()


def train(page) -> None:
    """As quickly as the page offers."""
    step(page, "Train")
    page.get_by_text("30 seconds").click()
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("heading", name="Training", exact=True).wait_for()


def said_of(result: dict[str, Any], what: str) -> str:
    """A score of few examples, as a person reads it."""
    return f"Right on {round(result['accuracy'] * result['n_test'])} of {result['n_test']} new {what}"


def test_from_two_heaps_of_photos_to_a_web_page(chromium, studio, workspace, page, some, tmp_path):
    new_project(page, "Cloth")
    assert page.url.endswith("#/cloth/examples")
    refuse_bad_state(page)
    page.get_by_text("Add a class for each thing that it should tell apart.").wait_for()
    drop(add_class(page, "torn"), some("global", 20))
    page.get_by_text("20 photos added.").wait_for()
    whole = add_class(page, "whole")
    whole.get_by_label("Add photos to whole").set_input_files(some("nominal", 20))
    whole.get_by_role("option").nth(19).wait_for()
    assert len(list((workspace / "cloth" / "data" / "torn").iterdir())) == 20
    first = whole.get_by_role("option").first.locator("img")
    first.wait_for()
    assert first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
    refuse_bad_state(page)

    train(page)
    page.get_by_role("progressbar", name="Training").wait_for()
    refuse_bad_state(page)
    page.reload()
    page.get_by_role("heading", name="Training", exact=True).or_(
        page.get_by_role("heading", name="Right on")
    ).wait_for()
    page.context.set_offline(True)
    look_again(page)
    page.get_by_text("The studio does not answer.").wait_for()
    page.context.set_offline(False)
    page.get_by_text("The studio does not answer.").wait_for(state="detached")
    page.get_by_role("heading", name="Right on").wait_for(timeout=TRAINED)
    result = studio.get("/api/projects/cloth/runs/1")["result"]
    assert page.get_by_role("heading", name="Right on").inner_text() == said_of(result, "photos")
    assert page.get_by_text(f"Always guessing ‘{result['majority_class']}’ would be right on 50 of 100.").count() == 1
    assert (
        page.get_by_role("navigation")
        .get_by_text(said_of(result, "photos").lower().removesuffix(" new photos"))
        .count()
    )
    refuse_bad_state(page)
    page.get_by_role("tab", name="Full report").click()
    assert page.get_by_role("link", name="Try it").is_visible()
    page.frame_locator("iframe").get_by_role("heading", level=1).wait_for()
    page.keyboard.press("ArrowLeft")
    assert page.get_by_role("tab", name="In short").get_attribute("aria-selected") == "true"

    step(page, "Try")
    (new,) = some("nominal", 1, start=30)
    page.get_by_label("Choose photos").set_input_files(new)
    card = page.get_by_role("article", name=new.name)
    card.locator(".prediction").wait_for()
    card.get_by_role("button", name="Explain").click()
    card.get_by_alt_text("Where in the photo").wait_for()
    card.get_by_role("button", name="This is wrong").click()
    card.get_by_label("torn", exact=True).check()
    refuse_bad_state(page)
    card.get_by_role("button", name="Store it").click()
    page.get_by_text("It is one of the examples now").wait_for()
    page.get_by_text("1 example added.").wait_for()
    assert new.read_bytes() in [each.read_bytes() for each in (workspace / "cloth" / "data" / "torn").iterdir()]
    page.get_by_role("navigation").get_by_text("41 photos").wait_for()

    step(page, "Share")
    item = page.get_by_role("article", name="A web page")
    item.get_by_role("button", name="Make it").click()
    item.get_by_role("link", name="Download").wait_for(timeout=TRAINED)
    proof = studio.get("/api/projects/cloth/exports/1")["proof"]
    assert item.get_by_text(f"the same answers as here for all of {proof['n']} photos").count() == (
        proof["same_top1"] == proof["n"]
    )
    refuse_bad_state(page)
    with page.context.expect_page() as opened:
        item.get_by_role("link", name="Look at it now").click()
    made = opened.value
    made.get_by_role("heading", name="Cloth", level=1).wait_for()
    made.get_by_label("Choose photos").set_input_files(new)
    made.locator(".prediction").wait_for(timeout=TRAINED)
    made.close()
    with page.expect_download() as download:
        item.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "cloth.zip")
    with zipfile.ZipFile(tmp_path / "cloth.zip") as packed:
        names = [Path(name).name for name in packed.namelist()]
        assert packed.testzip() is None
    assert {"index.html", "model.onnx", "app.js"} <= set(names)

    page.get_by_role("link", name="All projects").click()
    page.get_by_role("link", name="Cloth").wait_for()
    page.get_by_text("2 classes, 41 photos").wait_for()
    refuse_bad_state(page)


def test_a_table_is_read_trained_without_events_tried_and_corrected(chromium, questions, tmp_path):
    rows = ["id,said,kind,where"]
    rows += [f'{i},"{text}",{label},{"north" if i % 2 else "south"}' for i, (text, label) in enumerate(questions)]
    (tmp_path / "letters.csv").write_text("\n".join(rows) + "\n")
    with (
        running(tmp_path / "open") as studio,
        visited(chromium, address(studio), wrong=("ERR_FAILED", *EXPECTED)) as page,
    ):
        page.set_default_timeout(60_000)
        new_project(page, "Letters", "Texts in a table")
        refuse_bad_state(page)
        drop(page.get_by_text("Drop a table here"), [tmp_path / "letters.csv"])
        page.get_by_label("What it is").wait_for()
        page.get_by_label("The text").select_option("said")
        page.get_by_label("What it is").select_option("kind")
        page.get_by_text("Sorts texts into 3 classes").wait_for()
        assert page.get_by_role("columnheader", name="said text").count() == 1
        assert page.get_by_role("columnheader", name="kind what it is").count() == 1
        assert page.get_by_role("cell", name=questions[0][0]).count() == 1
        refuse_bad_state(page)
        page.route("**/events", lambda route: route.abort())  # a proxy that lets none through
        train(page)
        page.get_by_role("heading", name="Right on").wait_for(timeout=TRAINED)
        result = studio.get("/api/projects/letters/runs/1")["result"]
        assert page.get_by_role("heading", name="Right on").inner_text() == said_of(result, "texts")
        step(page, "Try")
        page.get_by_label("Text", exact=True).fill("my card is lost at sea")
        page.get_by_role("button", name="Ask", exact=True).click()
        page.locator(".prediction").wait_for()
        page.get_by_role("button", name="This is wrong").click()
        page.get_by_label("exchange", exact=True).check()
        page.get_by_role("button", name="Store it").click()
        page.get_by_text("1 example added.").wait_for()
        refuse_bad_state(page)
    kept = [
        file.read_text() for file in (tmp_path / "open" / "letters").rglob("*") if file.suffix in (".csv", ".jsonl")
    ]
    assert any("lost at sea" in text for text in kept)


def test_what_the_check_finds_is_mended_with_a_click(workspace, page, some):
    """The same photo in two classes, and a file that is no photo."""
    new_project(page, "Odd")
    torn, both = some("global", 11), some("nominal", 11)
    column = add_class(page, "torn")
    note = workspace / "note.txt"
    note.write_text("no photo")
    drop(column, [*torn, note])
    page.get_by_text("Which, and why").click()
    page.get_by_text("this is no photo").wait_for()
    copy = workspace / "copy.jpg"
    Image.open(torn[0]).save(copy, quality=95)
    drop(add_class(page, "whole"), [*both, copy])
    page.get_by_text("12 photos added.").wait_for()
    step(page, "Check")
    group = page.get_by_role("region", name="The same example in two classes")
    group.get_by_role("listitem").first.wait_for(timeout=TRAINED)
    refuse_bad_state(page)
    group.get_by_role("button", name="Remove", exact=True).first.click()
    page.get_by_role("navigation").get_by_text("22 photos").wait_for()
    page.get_by_role("button", name="Check again").click()
    page.get_by_text("The examples have changed since.").wait_for(state="detached", timeout=TRAINED)
    assert group.count() == 0


def test_photos_are_selected_moved_and_removed_by_keys_alone(chromium, workspace, page, some):
    page.get_by_role("button", name="New project").or_(page.get_by_label("Name", exact=True)).first.wait_for()
    keys = page.keyboard
    if page.get_by_role("button", name="New project").count():
        tab_to(page, "New project")
        keys.press("Enter")
    else:
        tab_to(page, "Name")
    keys.type("By keys")
    tab_to(page, "Make the project")
    keys.press("Enter")
    page.get_by_role("heading", name="By keys", level=1).wait_for()
    for name in ("left", "right"):
        tab_to(page, "What its photos show")
        keys.type(name)
        keys.press("Enter")
        page.get_by_role("region", name=f"Class {name}").wait_for()
    tab_to(page, "Add photos to left")
    page.locator(":focus").set_input_files(some("global", 5))  # the browser itself opens its dialogue on a key
    left, right = (page.get_by_role("region", name=f"Class {name}") for name in ("left", "right"))
    left.get_by_role("option").nth(4).wait_for()
    tab_to(page, "", role="option")
    keys.press("Space")
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    keys.press("Space")
    page.get_by_text("2 photos selected").wait_for()
    tab_to(page, "", role="SELECT")
    keys.type("right")
    tab_to(page, "Move")
    keys.press("Enter")
    right.get_by_role("option").nth(1).wait_for()
    assert (photos_in(left), photos_in(right)) == (3, 2)
    page.get_by_role("status").get_by_text("2 photos moved to right.").wait_for()
    tab_to(page, "Undo")
    keys.press("Enter")
    page.get_by_text("It is as it was before.").wait_for()
    left.get_by_role("option").nth(4).wait_for()
    assert (photos_in(left), photos_in(right)) == (5, 0)
    left.get_by_role("option").first.click()
    left.get_by_role("option").nth(1).click()
    keys.press("Delete")
    page.get_by_role("status").get_by_text("2 photos removed.").wait_for()
    left.get_by_role("option").nth(3).wait_for(state="detached")
    page.get_by_role("button", name="Undo").click()
    left.get_by_role("option").nth(4).wait_for()
    tab_to(page, "Name of the class right")
    keys.press("Control+A")
    keys.type("up")
    keys.press("Enter")
    page.get_by_role("region", name="Class up").wait_for()
    assert sorted(each.name for each in (workspace / "by-keys" / "data").iterdir()) == ["left", "up"]


def test_what_of_a_folder_cannot_be_a_class_is_named_and_a_removed_class_comes_back(
    chromium, studio, workspace, some, tmp_path
):
    heap = tmp_path / "heap"
    for name in ("good", 'what? 5"', ".hid"):
        (heap / name).mkdir(parents=True)
        for photo in some("global", 2):
            shutil.copy(photo, heap / name)
    shutil.copy(*some("nominal", 1), heap / "loose.jpg")
    with visited(chromium, address(studio), wrong=("422", *EXPECTED)) as page:  # which a browser says of each refusal
        new_project(page, "Odd names")
        page.get_by_label("Choose a folder").set_input_files(heap)
        page.get_by_text("2 photos added.").wait_for()
        page.get_by_text("Which, and why").click()
        for words in (
            "loose.jpg: it lies in no folder of its class",
            'The folder what? 5" (2 photos):',
            'leave out " and ?',
        ):
            page.get_by_role("listitem").get_by_text(words).wait_for()
        assert [each.name for each in (workspace / "odd-names" / "data").iterdir()] == ["good"]
        refuse_bad_state(page)
        column = page.get_by_role("region", name="Class good")
        column.get_by_role("button", name="Remove").click()
        column.get_by_role("button", name="Yes").click()
        page.get_by_text("The class good was removed, with 2 photos.").wait_for()
        refuse_bad_state(page)
        page.get_by_role("button", name="Undo").click()
        column.get_by_role("option").nth(1).wait_for()
        page.get_by_role("link", name="All projects").click()
        page.get_by_role("button", name="New project").click()
        page.get_by_label("Name", exact=True).fill("Odd names")
        page.get_by_text("There is a project of this name already").wait_for()


def tab_to(page, name: str, *, role: str = "") -> None:
    """Presses the tab key until something of this name, or role, has the focus."""
    says = """() => { const at = document.activeElement;
      return [at.getAttribute('aria-label') || at.placeholder || at.labels?.[0]?.innerText || at.innerText,
              at.getAttribute('role') || at.tagName]; }"""
    seen = []
    for _ in range(80):
        found, kind = page.evaluate(says)
        seen.append(found)
        if kind == role or (name and (found or "").strip() == name):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name or role} is not reached: {seen}")


def test_a_folder_of_folders_makes_classes_and_two_tabs_agree(chromium, studio, workspace, page, some, tmp_path):
    for name in ("global", "nominal"):
        (tmp_path / "heap" / name).mkdir(parents=True)
        for photo in some(name, 3):
            shutil.copy(photo, tmp_path / "heap" / name)
    new_project(page, "Folders")
    page.get_by_label("Choose a folder").set_input_files(tmp_path / "heap")
    for name in ("global", "nominal"):
        page.get_by_role("region", name=f"Class {name}").get_by_role("option").nth(2).wait_for()
    with visited(chromium, address(studio)) as other:
        other.get_by_role("link", name="Folders").click()
        column = other.get_by_role("region", name="Class global")
        column.get_by_role("option").nth(2).wait_for()
        column.get_by_role("button", name="Remove").click()
        column.get_by_role("button", name="Yes").click()
        column.wait_for(state="detached")
    look_again(page)
    page.get_by_role("region", name="Class global").wait_for(state="detached")
    assert [each.name for each in (workspace / "folders" / "data").iterdir()] == ["nominal"]
    page.go_back()
    page.get_by_role("link", name="Folders").wait_for()
    page.go_forward()
    page.get_by_role("region", name="Class nominal").wait_for()


def test_the_camera_takes_photos_for_as_long_as_its_button_is_held(page):
    new_project(page, "Camera")
    column = add_class(page, "seen")
    column.get_by_role("button", name="Camera").click()
    button = column.get_by_role("button", name="Hold to take photos")
    button.hover()
    page.mouse.down()
    column.get_by_text("3 photos taken.").wait_for()
    page.mouse.up()
    column.get_by_role("option").nth(2).wait_for()
    refuse_bad_state(page)
    column.get_by_role("button", name="Done").click()
    assert page.locator("video").count() == 0


def test_the_token_can_be_typed(chromium, studio):
    studio.post("/api/projects", {"name": "Typed", "kind": "photos"})
    with visited(chromium, f"http://127.0.0.1:{studio.port}/#/typed/examples", wrong=("401", "404")) as page:
        field = page.get_by_label("Token of this server")
        field.wait_for()
        refuse_bad_state(page)
        field.fill(TOKEN)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Typed", level=1).wait_for()
        assert field.count() == 0
        assert page.url.endswith("#/typed/examples")
        page.goto(f"http://127.0.0.1:{studio.port}/#/gone/try")
        page.get_by_role("heading", name="There is no such project").wait_for()
        refuse_bad_state(page)
