"""What a page shows of examples, in what bounds, and that nothing of a user's breaks it. In a browser: test_browser."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import headstart as hs
import made_records as made
from headstart.evaluate.classification import evaluate
from headstart.inputs.shown import LONGEST_SIDE, LONGEST_TEXT, around, beginning, shown_photos
from headstart.report.charts import Axis, Line, Mark, as_file, line_chart, reliability_diagram, stacked_bar, ticks
from headstart.report.document import MOST_BYTES, Section, document
from headstart.report.examples import gallery_of
from headstart.report.gallery import Example, Gallery, Group
from headstart.report.page import report
from headstart.values import Finding
from pages import EVIL, Page
from test_evaluate import recorded


def dataset_of(data, *more):
    return hs.check(data, *more, model=None).dataset


def words_of(gallery: Gallery, key: str) -> list[str]:
    """Where the examples of a group are."""
    group = gallery.group(key)
    return [] if group is None else [gallery.examples[place].where for place in group.examples]


# ---- which examples


def test_every_number_of_the_matrix_opens_the_examples_that_it_counts():
    record, gallery = made.two_classes()
    confusion = record.scores.confusion["rows"]
    for i, name in enumerate(record.scores.confusion["classes"]):
        for j, answer in enumerate(record.scores.confusion["classes"]):
            group = gallery.group(f"cell-{i}-{j}")
            assert (group.of if group else 0) == confusion[i][j]
            for place in group.examples if group else ():
                example = gallery.examples[place]
                assert (example.label, example.answer) == (name, answer)
    page = report(record, gallery)
    assert set(re.findall(r'data-group="(cell-[^"]+)"', page)) == {
        g.key for g in gallery.groups if g.key.startswith("cell")
    }


def test_the_most_confident_mistakes_come_first():
    record, gallery = made.two_classes()
    sure = [gallery.examples[place].probability for place in gallery.group("mistakes").examples]
    assert sure == sorted(sure, reverse=True)
    assert words_of(gallery, "mistakes") == [m["where"] for m in record.scores.mistakes[: len(sure)]]
    page = report(record, gallery)
    text = next(e.shown for e in gallery.examples if e.where == record.scores.mistakes[0]["where"])
    before = page[: page.index('<template id="gallery">')]
    assert text in before  # without a click, and without the script


def test_an_example_that_repeats_another_stands_beside_it(photos):
    twin = sorted((photos / "global").glob("*.jpg"))[0]
    shutil.copy(twin, photos / "global" / "zz_copy.jpg")
    record, gallery = made.photos(photos)
    first, second = words_of(gallery, "finding-duplicate")
    assert {Path(first).name, Path(second).name} == {twin.name, "zz_copy.jpg"}
    shown = {gallery.examples[place].shown for place in gallery.group("finding-duplicate").examples}
    assert len(shown) == 1  # one photo, and once on the page
    assert report(record, gallery).count(base64.b64encode(shown.pop()).decode()) == 1


def test_doubtful_labels_have_a_section_with_what_they_look_like(photos):
    record, gallery = made.photos(photos)
    page = report(record, gallery)
    part = page[page.index("Labels that look doubtful") : page.index("Most confident mistakes")]
    assert part.count('class="photo') == 3
    assert "Looks like" in part
    assert "Look at 3 labels that may be wrong" in page


def test_a_page_without_examples_says_the_same_in_words(photos):
    record, gallery = made.photos(photos)
    bare = report(record)
    assert 'data-group="' not in bare
    assert "<template" not in bare
    assert record.scores.mistakes[0]["where"] in bare.replace("<wbr>", "")
    assert Page(bare).open == Page(report(record, gallery)).open == []


@pytest.mark.parametrize("task", ["labels", "numbers", "answers"])
def test_pages_of_the_other_tasks_show_theirs(task, tmp_path):
    record, gallery = made.answers(tmp_path) if task == "answers" else getattr(made, task)()
    page = report(record, gallery)
    opened = set(re.findall(r'data-group="([^"]+)"', page))
    wanted = {"labels": "missed-", "numbers": "bin-0", "answers": "kind-boundary"}[task]
    assert any(key.startswith(wanted) for key in opened)
    assert opened <= {group.key for group in gallery.groups}
    if task == "answers":  # a question stands with what is around its answer
        shown = gallery.examples[gallery.group("kind-boundary").examples[0]].shown
        assert shown.startswith("Where does the tower stand?\n\n")
        assert "It stands in Paris" in shown
    else:
        assert all(example.shown for example in gallery.examples)


def test_an_opened_model_gives_the_page_with_its_examples_again(tmp_path, few_texts):
    table, bert = few_texts
    model = hs.fit(table, model=bert, how="probe", out=tmp_path / "out")
    model.report(tmp_path / "one.html")
    saved = (tmp_path / "out" / "report.html").read_bytes()
    assert (tmp_path / "one.html").read_bytes() == saved
    assert b"<blockquote" in saved
    assert any(text.split(",")[0].strip('"').encode() in saved for text in table.read_text().splitlines()[1:])
    (tmp_path / "out" / "report.html").unlink()
    hs.load(tmp_path / "out").report(tmp_path / "two.html")
    bare = (tmp_path / "two.html").read_bytes()
    assert b"<blockquote" not in bare
    assert b"Class by class" in bare


# ---- photos and texts, made small


def test_photos_are_upright_and_small_and_of_the_bytes_that_were_checked(photos):
    lying = Image.fromarray(np.dstack([np.full((300, 400), 200, np.uint8), *np.zeros((2, 300, 400), np.uint8)]))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    lying.save(photos / "global" / "a_turned.jpg", exif=exif)
    Image.new("RGB", (20, 10), "blue").save(photos / "global" / "b_icon.png")
    dataset = dataset_of(photos)
    rows = [next(i for i, w in enumerate(dataset.where) if name in w) for name in ("a_turned", "b_icon")]
    turned, icon = (Image.open(io.BytesIO(shown)) for shown in shown_photos(dataset, np.array(rows)))
    assert turned.size == (LONGEST_SIDE * 3 // 4, LONGEST_SIDE)
    assert icon.size == (20, 10)
    changed, gone, *_ = np.setdiff1d(np.arange(len(dataset)), rows).tolist()
    lying.save(dataset.inputs[changed])
    Path(dataset.inputs[gone]).unlink()
    said = shown_photos(dataset, np.array([changed, gone, *rows]))
    assert said[0] == "no picture: changed while it was being read by this run"
    assert said[1] == "no picture: gone since it was checked"
    assert all(isinstance(shown, bytes) for shown in said[2:])


@settings(max_examples=50)
@given(st.text(max_size=1000), st.integers(0, 999), st.integers(0, 40))
def test_a_text_is_cut_so_that_one_sees_it(text, start, length):
    short = beginning(text)
    assert len(short) <= LONGEST_TEXT
    assert text.strip().startswith(short.removesuffix("…").rstrip())
    start = min(start, len(text))
    piece = around(text, start, length)
    assert len(piece) <= LONGEST_TEXT
    if length <= 40 and text[start : start + length].strip():
        assert text[start : start + length].strip()[0] in piece


# ---- bounds


def test_a_page_stays_below_its_bytes_and_says_what_is_left_out():
    rng = np.random.default_rng(0)
    photos = []
    for _ in range(300):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)).save(file, "JPEG", quality=90)
        photos.append(Example("a.jpg", file.getvalue(), "a", "b", 0.5))
    groups = [Group(f"g{i}", f"group {i}", (i,)) for i in range(300)]
    examples = tuple(photos) + tuple(Example(f"row {i}", "x" * 10_000) for i in range(300))
    texts = [Group(f"t{i}", f"text {i}", (300 + i,)) for i in range(300)]
    gallery = Gallery(examples, groups + texts)
    page = document(title="much", eyebrow="a page", subtitle="", sections=[Section("One", "")], gallery=gallery)
    assert 0.9 * MOST_BYTES < len(page.encode()) <= MOST_BYTES
    kept = len(re.findall(r"data-key=", page))
    assert f"{600 - kept:,} groups of examples, the least important ones, are not on this page" in page
    assert re.findall(r'data-key="(\w+)"', page) == [g.key for g in groups + texts][:kept]  # the last ones go first


def test_so_many_photos_are_decoded_and_no_more(photos):
    record, _ = made.photos(photos)
    dataset = dataset_of(photos)
    for most in (30, 12, 5):
        few = replace(dataset, modality=replace(dataset.modality, most_shown=most))
        gallery = gallery_of(record, few, np.arange(len(few)))
        assert 0 < len({example.where for example in gallery.examples}) <= most
    assert gallery.dropped > 0
    assert "not on this page" in report(record, gallery)


def test_of_very_many_answers_no_more_are_kept_than_somebody_looks_at():
    rng = np.random.default_rng(0)
    n, k = 20_000, 150
    y = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)).astype(np.float32)
    logits[np.arange(n), y] += 4
    scores = evaluate(logits, y, classes=[f"class {i:03d}" for i in range(k)], majority_class="class 000")
    examples = sum(len(group.examples) for group in scores.exhibits)
    assert 1000 < examples <= 3000
    assert sum(group.of for group in scores.exhibits if group.key == "mistakes") == round(n * (1 - scores.accuracy))
    groups = [Group(group.key, group.title, (0,), group.of) for group in scores.exhibits[:50]]  # fewer than numbers
    record = recorded(scores)
    assert "not underlined" in report(record, Gallery((Example("row 1", "a text"),), groups))
    assert "not underlined" not in report(record)


# ---- other people's words


def test_no_name_and_no_text_breaks_the_page_or_runs():
    names = [EVIL, '"quoted" & <b>', "lone \udcff surrogate", "</template></script>", "'] onclick="]
    texts = [f"{name} {i}" for i in range(8) for name in [*names[:2], "\ud800 half", "</blockquote>", "x" * 3000]]
    dataset = dataset_of(texts, [names[i % 5] if i % 5 != 2 else "plain" for i in range(len(texts))])
    odd = [Finding(EVIL, dataset.where[0], EVIL), Finding("doubtful-label", dataset.where[1], EVIL, looks_like=EVIL)]
    record, _ = made.of_classes(dataset)
    record = replace(record, findings=tuple(odd), data=EVIL, model=EVIL, out=EVIL)
    page = report(record, gallery_of(record, dataset, np.arange(len(dataset))))
    page.encode("utf-8")
    read = Page(page)
    assert read.open == []
    assert read.tags.count("script") == 1
    assert "b" not in read.tags
    assert EVIL not in page
    assert "x" * 500 not in page


def test_a_browser_is_told_to_run_no_other_script():
    page = document(title="a", eyebrow="b", subtitle="c", sections=[])
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    told = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert told["script-src"] == f"'sha256-{digest}'"
    assert told["default-src"] == "'none'"
    assert told["img-src"] == "data:"


# ---- charts

FINITE = st.floats(-1e9, 1e9) | st.just(math.nan) | st.just(math.inf)


def has_place(point, logs) -> bool:
    return all(math.isfinite(value) and (value > 0 or not log) for value, log in zip(point, logs, strict=True))


@given(st.lists(st.lists(st.tuples(FINITE, FINITE), max_size=8), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_any_numbers_make_a_chart_or_are_refused(many, log_x, log_y):
    lines = [Line(f"<line> & {i}", points, [(y, y) for _, y in points]) for i, points in enumerate(many)]
    axes = {"x": Axis("x", log=log_x), "y": Axis("y", log=log_y)}
    if not any(has_place(point, (log_x, log_y)) for points in many for point in points):
        with pytest.raises(ValueError, match="no point"):
            line_chart(lines, **axes, title="a <chart>")
        return
    svg = line_chart(lines, **axes, title="a <chart>")
    root = ET.fromstring(svg)
    assert root.find("title").text == "a <chart>"
    assert root.attrib["role"] == "img"
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for dot in root.iter("circle"):
        assert -1 <= float(dot.attrib["cx"]) <= width + 1
        assert -1 <= float(dot.attrib["cy"]) <= height + 1
    assert "nan" not in svg.lower().replace("&lt;", "")
    assert "inf" not in svg


@given(st.floats(1e-6, 1e6), st.floats(1.01, 1e6), st.booleans())
def test_ticks_are_few_and_between_the_ends(low, times, log):
    high = low * times
    found = ticks(low, high, log=log)
    assert len(found) <= 6
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in found)
    assert found == sorted(found)
    assert found or log  # from 6 to 9 there is no power of ten


def test_what_a_chart_shows_is_said_in_words():
    line = Line("probe", [(10, 0.5), (1000, 0.9)], [(0.4, 0.6), (0.88, 0.92)])
    guess = Line("", [(1000, 0.9), (2000, 0.95)], supposed=True, colour=0)
    x, y = Axis("labels", log=True), Axis("accuracy", share=True)
    svg = line_chart([line, guess], x=x, y=y, title="Accuracy", marks=[Mark(1000, 0.9, "all")])
    said = ET.fromstring(svg).find("desc").text.replace("\u00a0", " ")
    assert "probe: 50.0 % at labels 10, then 90.0 % at labels 1,000." in said
    assert svg.count("line c0") == 3  # both lines have one colour, and the legend one name
    alone = ET.fromstring(as_file(svg, ".line{fill:none}"))
    assert alone.tag == "{http://www.w3.org/2000/svg}svg"
    bins = [{"confidence": 0.9, "accuracy": 0.5, "n": 20}, {"confidence": 0.2, "accuracy": 0.2, "n": 0}]
    drawn = ET.fromstring(reliability_diagram(bins, title="Reliability"))
    assert "20 answers at 90.0\u00a0%: 50.0\u00a0% right" in drawn.find("desc").text
    bar = stacked_bar([("read", 1.0), ("encode", 3.0)], title="Seconds", figure="{:.1f} s".format)
    widths = [float(w) for w in re.findall(r'<rect [^>]*width="([\d.]+)"', bar)]
    assert widths[1] == pytest.approx(3 * widths[0])
    assert "encode <span>3.0 s</span>" in bar
