"""Pages that come from a server of this machine, as a person sees them, and small models for the browser."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from browser import WIDTHS, broken_words, scrolls_sideways, serious

CLASSES = ["left", "right", "top", "bottom"]
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "where",
    "is",
    "my",
    "card",
    "the",
    "rate",
    "pin",
    "new",
    "lost",
    "?",
    "σασ",
]


class _Host(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, headers: Mapping[str, str], directory: str) -> None:
        self._more = headers
        super().__init__(*arguments, directory=directory)

    def end_headers(self) -> None:
        for name, value in self._more.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hosted(folder: Path, **headers: str) -> Iterator[str]:
    """The address of a folder on a host of static files, as `python -m http.server` serves it.

    Args:
        headers: that it sends with each file; a _ stands for a hyphen.
    """
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    handler = functools.partial(_Host, headers=more, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def visited(
    browser: Any, url: str, *, width: int = 1280, dark: bool = False, wrong: tuple[str, ...] = (), **context: Any
) -> Iterator[Any]:
    """A page of a server. Fails at the end where it asked anything of another one, or said that it erred.

    Args:
        wrong: words of errors that the browser may say, since the test is about them.
    """
    colours = "dark" if dark else "light"
    opened = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=colours, **context)
    origin = "/".join(url.split("/")[:3])
    asked: list[str] = []
    erred: list[str] = []
    page = opened.new_page()
    opened.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: erred.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: erred.append(str(error)))
    try:
        page.goto(url)
        yield page
        assert [each for each in asked if not each.startswith((origin + "/", f"blob:{origin}/", "data:"))] == []
        assert [each for each in erred if not any(words in each for words in wrong)] == []
    finally:
        opened.close()


def refuse_bad_state(page: Any) -> None:
    """Fails where the page, as it is now, scrolls sideways, breaks a word or keeps somebody out: wide and on a phone,
    light and dark."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for colours in ("dark", "light"):
            page.emulate_media(color_scheme=colours)
            assert not scrolls_sideways(page), width
            assert broken_words(page) == [], width
            assert serious(page) == [], (width, colours)


def small_web_model(folder: Path, pages: Path, **facts: Any) -> Path:
    """An exported folder with a small model: its pages, model.onnx, model.json and, for texts, tokenizer.json.

    Its weights are drawn; of photos it weighs where the light is, of texts which words there are.

    Args:
        facts: of model.json, over those of a classifier of photos with four classes.
    """
    folder.mkdir()
    for page in pages.iterdir():
        (folder / page.name).write_bytes(page.read_bytes())
    told = {
        "task": "image-classification",
        "name": "places",
        "model": "a small model",
        "licence": "Apache-2.0",
        "outputs": "probabilities",
        "exclusive": True,
        "classes": CLASSES,
        "thresholds": None,
        "interval": None,
        "decision": None,
        "images": {"draft": 64},
        "texts": None,
        "made_by": "headstart",
        **facts,
    }
    (folder / "model.json").write_text(json.dumps(told))
    if told["texts"] is not None:
        small_tokenizer().save(str(folder / "tokenizer.json"))
    _write_graph(folder / "model.onnx", told)
    return folder


def small_tokenizer() -> Any:
    """WordPiece of a few words, as BERT has it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def _write_graph(file: Path, told: dict[str, Any]) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes, inputs = [], []
    constants: dict[str, np.ndarray] = {}
    if told["texts"] is None:
        constants |= {"sizes": np.array([1, 3, 4, 4]), "level": np.array(128, np.float32)}
        nodes = [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("Resize", ["planes", "", "", "sizes"], ["cells"], mode="linear", antialias=1),
            helper.make_node("Flatten", ["cells"], ["light"]),
            helper.make_node("Div", ["light", "level"], ["features"]),
        ]
        inputs = [("pixels", TensorProto.UINT8, ["n", "h", "w", 3])]
        width = 48
    else:
        width = 8
        constants |= {"embeddings": rng.normal(size=(len(WORDS), width)).astype(np.float32), "last": np.array([2])}
        constants["tokens"] = np.array([1])
        inputs = [(name, TensorProto.INT64, ["r", "t"]) for name in ("ids", "mask")]
        nodes = [
            helper.make_node("Gather", ["embeddings", "ids"], ["words"]),
            helper.make_node("Cast", ["mask"], ["there"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["there", "last"], ["weights"]),
            helper.make_node("Mul", ["words", "weights"], ["kept"]),
            helper.make_node("ReduceSum", ["kept", "tokens"], ["sums"], keepdims=0),
            helper.make_node("ReduceSum", ["there", "tokens"], ["counts"], keepdims=1),
            helper.make_node("Div", ["sums", "counts"], ["means"]),
        ]
        if told["texts"]["pair"] == "apart":
            constants |= {"pairs": np.array([-1, 2, width]), "signs": np.array([[[1.0], [-1.0]]], np.float32)}
            nodes += [
                helper.make_node("Reshape", ["means", "pairs"], ["both"]),
                helper.make_node("Mul", ["both", "signs"], ["opposed"]),
                helper.make_node("ReduceSum", ["opposed", "tokens"], ["features"], keepdims=0),
            ]
        else:
            constants["rows"] = np.array([0])
            nodes.append(helper.make_node("ReduceMean", ["means", "rows"], ["features"], keepdims=1))
    n = len(told["classes"]) or 1
    constants["head"] = rng.normal(size=(width, n)).astype(np.float32)
    link = "Identity" if told["outputs"] == "values" else "Softmax" if told["exclusive"] else "Sigmoid"
    nodes.append(helper.make_node("MatMul", ["features", "head"], ["scores"]))
    nodes.append(helper.make_node(link, ["scores"], [told["outputs"]]))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(told["outputs"], TensorProto.FLOAT, ["n", n])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)
