"""The Python that opens a saved folder without headstart; it stands in the model card, from where a test runs it."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable
from typing import Any

from headstart.backbone import Backbone, ImagePreparation
from headstart.errors import plain
from headstart.pretrained.translated import FIRST_STRIDE, NO_FULLY_CONNECTED

Compare = Callable[[Any, Any], Any]

# What becomes of `outputs`, (n_outputs,) float32, by what they are.
CLASSES = """
probabilities = np.exp(outputs - outputs.max())
probabilities /= probabilities.sum()
print(saved["classes"][probabilities.argmax()], float(probabilities.max()))
"""
DECIDED = """
probabilities = np.exp(outputs - outputs.max())
probabilities /= probabilities.sum()
more = saved["head"]["more"]
positive = int(more["positive"])
answer = positive if probabilities[positive] >= more["threshold"] else 1 - positive
print(saved["classes"][answer], float(probabilities[answer]))
"""
LABELS = """
probabilities = 1 / (1 + np.exp(-outputs))
for name, probability, threshold in zip(saved["classes"], probabilities, saved["head"]["thresholds"]):
    if probability >= threshold:
        print(name, float(probability))
"""
NUMBER = """
value, width = float(outputs[0]), saved["head"]["width"]
print(value, "90 % interval", value - width, value + width)
"""

_IMAGE = """
import json

import numpy as np
import timm
import torch
from PIL import Image

saved = json.load(open("{folder}/headstart.json", encoding="utf-8"))
model = timm.create_model("local-dir:{folder}", pretrained=True).eval()
transform = timm.data.create_transform(**timm.data.resolve_data_config({{}}, model=model))
with torch.inference_mode():
    outputs = model(transform(Image.open("photo.jpg").convert("RGB"))[None])[0].numpy()
{ending}
"""

_CHANGED_IMAGE = """
import json

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

saved = json.load(open("{folder}/headstart.json", encoding="utf-8"))
config = json.load(open("{folder}/config.json", encoding="utf-8"))["changed"]
model = timm.create_model(config["architecture"], num_classes=config["num_classes"])
{changes}
model.load_state_dict(load_file("{folder}/model.safetensors"))
transform = timm.data.create_transform(**timm.data.resolve_data_config(config["pretrained_cfg"]))
with torch.inference_mode():
    outputs = model.eval()(transform(Image.open("photo.jpg").convert("RGB"))[None])[0].numpy()
{ending}
"""

_CHANGES = {
    FIRST_STRIDE: """for layer in (model.layer2, model.layer3, model.layer4):
    for block in layer:
        block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride""",
    NO_FULLY_CONNECTED: """model.pre_logits = torch.nn.Identity()
model.head.fc = torch.nn.Linear(model.num_features, config["num_classes"])""",
}

# Without token types, which headstart does not give.
_TEXT = """
import json

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import AutoModel, AutoTokenizer

{compare}saved = json.load(open("{folder}/headstart.json", encoding="utf-8"))
tokenizer, encoder = AutoTokenizer.from_pretrained("{folder}"), AutoModel.from_pretrained("{folder}").eval()
head = load_file("{folder}/head.safetensors")
tokens = tokenizer({texts}, padding=True, truncation=True, max_length={max_length}, {windows}return_tensors="pt")
ids, mask = tokens["input_ids"]{read}, tokens["attention_mask"]{read}
with torch.inference_mode():
    states = encoder(ids, attention_mask=mask, output_hidden_states=True).hidden_states
    mask = mask[:, :, None]
    pooled = [{last}]
    pooled += [(states[layer] * mask).sum(1) / mask.sum(1) for layer in {middle}]{normalise}
features = torch.cat(pooled, -1).numpy()
{averaged}outputs = ({features} @ head["weight"].T + head["bias"])[0]
{ending}
"""

_STATIC = """
import json

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

{compare}saved = json.load(open("{folder}/headstart.json", encoding="utf-8"))
tokenizer = Tokenizer.from_file("{folder}/tokenizer.json")
tokenizer.no_padding()
tokenizer.enable_truncation({max_length})
table, head = load_file("{folder}/model.safetensors")["embeddings"], load_file("{folder}/head.safetensors")
pieces = [[encoding, *encoding.overflowing{read}] for encoding in tokenizer.encode_batch({texts})]
ids = [[np.array([i for i in piece.ids if i != {unknown}], dtype=int) for piece in some] for some in pieces]
means = [np.stack([table[i].sum(0) / max(1, len(i)) for i in some]) for some in ids]{normalise}
weights = [np.array([len(piece.ids) for piece in some], np.float32) for some in pieces]
features = np.stack([(w[:, None] * m).sum(0) / max(1, w.sum()) for w, m in zip(weights, means)])
outputs = ({features} @ head["weight"].T + head["bias"])[0]
{ending}
"""

_AVERAGED = """weights = mask.sum(1).numpy()
features = (features * weights).sum(0, keepdims=True) / weights.sum()
"""

# What it leaves to headstart: several windows, and words that are found at several places.
_READER = """
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

question, context = "a question", "a text that may answer it"
tokenizer = AutoTokenizer.from_pretrained("{folder}")
model = AutoModelForQuestionAnswering.from_pretrained("{folder}").eval()
tokens = tokenizer(question, context, truncation="only_second", max_length={max_length}, return_tensors="pt")
with torch.inference_mode():
    scores = model(**tokens)
start, end = scores.start_logits[0], scores.end_logits[0]
inside = torch.tensor([part == 1 for part in tokens.sequence_ids()])
allowed = (inside[:, None] & inside).triu().tril({longest} - 1)
spans = (start[:, None] + end).masked_fill(~allowed, -torch.inf)
first, last = divmod(int(spans.argmax()), len(end))
words = [tokens.word_to_chars(tokens.token_to_word(token), sequence_index=1) for token in (first, last)]
answer = context[words[0].start : words[1].end].strip()
{nothing}print(answer)
"""

_NOTHING = """if start[0] + end[0] > spans.max() + {threshold!r}:
    answer = "no answer"
"""

_ONNX = """
import json
import numpy as np
import openvino as ov
from PIL import Image
from safetensors.numpy import load_file

graph = ov.Core().read_model("{folder}/model.onnx")
features = next(out for op in graph.get_ops() for out in op.outputs() if {features!r} in out.names)
encoder = ov.Core().compile_model(ov.Model([features], graph.get_parameters()), "CPU")
head = load_file("{folder}/head.safetensors")
saved = json.load(open("{folder}/headstart.json", encoding="utf-8"))
photo = Image.open("photo.jpg").convert("RGB")
{prepare}
pixels = (np.asarray(photo, np.float32) / 255 - {mean}) / {std}
outputs = encoder(pixels.transpose(2, 0, 1)[None].astype(np.float32))[0][0] @ head["weight"].T + head["bias"]
{ending}
"""

_SHORT_SIDE = """short = min(photo.size)
photo = photo.resize(({side} * photo.width // short, {side} * photo.height // short), Image.Resampling.{filter})"""
_SCALED = """scale = {which}({width} / photo.width, {height} / photo.height)
photo = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.{filter})"""
_SQUASHED = """photo = photo.resize(({width}, {height}), Image.Resampling.{filter})"""
_CUT = """left, top = round((photo.width - {width}) / 2), round((photo.height - {height}) / 2)
photo = photo.crop((left, top, left + {width}, top + {height}))"""
_FRAMED = """frame = Image.new("RGB", ({width}, {height}), {colour})
frame.paste(photo, (({width} - photo.width) // 2, ({height} - photo.height) // 2))
photo = frame"""


def image_code(backbone: Backbone, folder: str, ending: str, compare: Compare | None = None) -> str:
    """A script for timm; `folder` is the saved folder's name."""
    folder, ending, changes = _quotable(folder), ending.strip(), backbone.config.get("changes")
    if changes:
        changed = "\n".join(_CHANGES[change] for change in changes)
        return _CHANGED_IMAGE.format(folder=folder, changes=changed, ending=ending).strip()
    return _IMAGE.format(folder=folder, ending=ending).strip()


def text_code(backbone: Backbone, folder: str, ending: str, compare: Compare | None = None) -> str:
    """A script for transformers.

    Args:
        compare: of pairs, how the features of two texts are put side by side; its own source is in the script.
    """
    config = backbone.config
    last, *middle = config["layers"]
    lasts = {
        "mean": f"(states[{last}] * mask).sum(1) / mask.sum(1)",
        "cls": f"states[{last}][:, 0]",
        "max": f"states[{last}].masked_fill(mask == 0, -torch.inf).amax(1)",
    }
    one, other = (json.dumps(backbone.texts.prefix + text) for text in ("a text", "another text"))
    normalise = "\n    pooled = [torch.nn.functional.normalize(p, dim=-1) for p in pooled]"
    if compare is None:
        texts, side_by_side = f"[{one}]", ""
    elif config.get("pair"):  # read as one sequence
        texts, side_by_side = f"[({one}, {other})]", ""
    else:
        texts, side_by_side = f"[{one}, {other}]", f"{compare.__name__}(features[:1], features[1:])"
    return _TEXT.format(
        folder=_quotable(folder),
        compare=f"\n{inspect.getsource(compare)}\n\n" if compare and side_by_side else "",
        texts=texts,
        max_length=backbone.texts.max_length,
        last=lasts[config["pooling"]],
        middle=middle,
        normalise=normalise if config["normalise"] else "",
        windows="return_overflowing_tokens=True, " if config.get("windows") else "",
        read="[:16]" if config.get("windows") else "",
        averaged=_AVERAGED if config.get("windows") else "",
        features=side_by_side or "features",
        ending=ending.strip(),
    ).strip()


def static_code(backbone: Backbone, folder: str, ending: str, compare: Compare | None = None) -> str:
    """A script for numpy and tokenizers; arguments as of `text_code`."""
    two = compare is not None
    side_by_side = f"{compare.__name__}(features[:1], features[1:])" if compare else "features"
    normalise = "\nmeans = [m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-12) for m in means]"
    return _STATIC.format(
        folder=_quotable(folder),
        compare=f"\n{inspect.getsource(compare)}\n\n" if compare else "",
        texts='["a text", "another text"]' if two else '["a text"]',
        max_length=backbone.texts.max_length,
        read="[:15]" if backbone.config.get("windows") else "[:0]",
        unknown=backbone.config["unknown"],
        normalise=normalise if backbone.config["normalise"] else "",
        features=side_by_side,
        ending=ending.strip(),
    ).strip()


def onnx_code(backbone: Backbone, folder: str, ending: str, compare: Compare | None = None) -> str:
    """A script for OpenVINO."""
    preparation = backbone.images
    return _ONNX.format(
        folder=_quotable(folder),
        features=backbone.config["features"],
        prepare=_prepare(preparation),
        mean=list(preparation.mean),
        std=list(preparation.std),
        ending=ending.strip(),
    ).strip()


def plain_reader_code(backbone: Backbone, folder: str, *, longest: int, threshold: float | None) -> str:
    """A script for transformers that answers a question from a text of one window.

    Args:
        longest: tokens of an answer, at most. threshold: log probability by which no answer lies ahead; None: never.
    """
    return _READER.format(
        folder=_quotable(folder),
        max_length=backbone.texts.max_length,
        longest=longest,
        nothing="" if threshold is None else _NOTHING.format(threshold=threshold),
    ).strip()


def _quotable(folder: str) -> str:
    return plain(folder.replace("\\", "/").replace('"', ""))


def _prepare(preparation: ImagePreparation) -> str:
    """What `data.images.prepare` does, in Pillow's words."""
    size, mode, filter_ = preparation.size, preparation.crop_mode, preparation.interpolation.upper()
    height, width = (math.floor(side / preparation.crop) for side in size)
    if mode == "squash":
        resize = _SQUASHED.format(width=width, height=height, filter=filter_)
    elif mode == "center" and height == width:
        resize = _SHORT_SIDE.format(side=width, filter=filter_)
    else:
        which = "min" if mode == "border" else "max"
        resize = _SCALED.format(which=which, width=width, height=height, filter=filter_)
    colour = tuple(round(255 * value) for value in preparation.mean)
    cut = (_FRAMED if mode == "border" else _CUT).format(height=size[0], width=size[1], colour=colour)
    return resize if mode == "squash" and preparation.crop == 1 else f"{resize}\n{cut}"
