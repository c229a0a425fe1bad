"""The Python that opens a saved folder without headstart; it stands in the model card, from where a test runs it."""

from __future__ import annotations

from headstart.pretrained.translated import AVERAGED, FIRST_STRIDE
from headstart.values import Backbone, TextPreparation

_IMAGE = """
import timm
import torch
from PIL import Image

model = timm.create_model("local-dir:{folder}", pretrained=True).eval()
transform = timm.data.create_transform(**timm.data.resolve_data_config({{}}, model=model))
with torch.inference_mode():
    probabilities = model(transform(Image.open("photo.jpg").convert("RGB"))[None]).softmax(-1)[0]
print(model.pretrained_cfg["label_names"][probabilities.argmax()], float(probabilities.max()))
"""

_CHANGED = """
import json
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

config = json.load(open("{folder}/config.json", encoding="utf-8"))
model = timm.create_model(config["architecture"], num_classes=config["num_classes"], **config["model_args"])
{change}
model.load_state_dict(load_file("{folder}/model.safetensors"))
transform = timm.data.create_transform(**timm.data.resolve_data_config(config["pretrained_cfg"]))
with torch.inference_mode():
    probabilities = model.eval()(transform(Image.open("photo.jpg").convert("RGB"))[None]).softmax(-1)[0]
print(config["pretrained_cfg"]["label_names"][probabilities.argmax()], float(probabilities.max()))
"""

_CHANGES = {
    FIRST_STRIDE: """
for stage in (model.layer2, model.layer3, model.layer4):
    stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
""",
    AVERAGED: """
model.pre_logits = torch.nn.Identity()
model.head.fc = torch.nn.Linear(config["num_features"], config["num_classes"])
""",
}

_TEXT = """
import json
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

classes = json.load(open("{folder}/headstart.json", encoding="utf-8"))["classes"]
tokenizer, encoder = AutoTokenizer.from_pretrained("{folder}"), AutoModel.from_pretrained("{folder}").eval()
head = load_file("{folder}/head.safetensors")
tokens = tokenizer(["a text"], padding=True, truncation=True, max_length={max_length}, return_tensors="pt")
with torch.inference_mode():
    states = encoder(**tokens, output_hidden_states=True).hidden_states
    mask = tokens["attention_mask"][:, :, None]
    pooled = [{last}]
    pooled += [(states[layer] * mask).sum(1) / mask.sum(1) for layer in {middle}]{normalise}
    probabilities = (torch.cat(pooled, -1) @ head["weight"].T + head["bias"]).softmax(-1)[0]
print(classes[probabilities.argmax()], float(probabilities.max()))
"""


def plain_code(backbone: Backbone, folder: str) -> str:
    """A script for timm (images) or transformers (texts); `folder` is the saved folder's name."""
    name = folder.replace("\\", "/").replace('"', "")
    if not isinstance(backbone.preparation, TextPreparation):
        changes = [_CHANGES[change].strip() for change in backbone.config.get("changes") or ()]
        return (_CHANGED if changes else _IMAGE).format(folder=name, change="\n".join(changes)).strip()
    config = backbone.config
    last, *middle = config["layers"]
    mean = f"(states[{last}] * mask).sum(1) / mask.sum(1)"
    normalise = "\n    pooled = [torch.nn.functional.normalize(p, dim=-1) for p in pooled]"
    return _TEXT.format(
        folder=name,
        max_length=backbone.preparation.max_length,
        last=f"states[{last}][:, 0]" if config["pooling"] == "cls" else mean,
        middle=middle,
        normalise=normalise if config["normalise"] else "",
    ).strip()
