"""A folder of transformers: what AutoModel opens, and for photos the pipeline with its classes.

Classifiers of texts in transformers begin with the first token's state, and most put a layer of their own before the
classes, so none of them can hold a head on a mean. predict.py has the few lines that do.
"""

from __future__ import annotations

from headstart.export.deployable import Deployable
from headstart.export.format import Format, Runtime
from headstart.export.library_folder import LINK_IN_TORCH, write
from headstart.pretrained.source import SOURCES

_PHOTOS = """
processor = AutoImageProcessor.from_pretrained(here)
model = AutoModelForImageClassification.from_pretrained(here).eval()


def run(given):
    with torch.inference_mode():
        return model(**given).logits{link}
"""
_READ = """def read(photo):
    return processor(opened(photo), return_tensors="pt")
"""
_TEXTS = """
encoder = AutoModel.from_pretrained(here).eval()
head = load_file(here / "head.safetensors")


def run(given):
    ids, mask = map(torch.from_numpy, given.values())
    with torch.inference_mode():
        states = encoder(ids, attention_mask=mask, output_hidden_states=True).hidden_states
        tokens = mask[:, :, None]
        pooled = [{last}]
        pooled += [(states[layer] * tokens).sum(1) / tokens.sum(1) for layer in {middle}]
        features = torch.cat({parts}, 1)
{several}        return (features @ head["weight"].T + head["bias"]){link}
"""
_LAST = {  # how the last layer is pooled
    "mean": "(states[-1] * tokens).sum(1) / tokens.sum(1)",
    "cls": "states[-1][:, 0]",
    "max": "states[-1].masked_fill(tokens == 0, torch.finfo(torch.float32).min).amax(1)",
}
_COMPARED = """        u, v = features.reshape(-1, 2, features.shape[1]).unbind(1)  # the two texts of each pair
        features = torch.cat([u / 4, v / 4, (u - v).abs(), u * v], 1)
"""
_AVERAGED = """        lengths = mask.sum(1, keepdim=True)  # of the windows of a text
        features = (features * lengths).sum(0, keepdim=True) / lengths.sum()
"""


def _runtime(made: Deployable) -> Runtime:
    link = LINK_IN_TORCH[made.link]
    if made.takes_photos:
        names = "from transformers import AutoImageProcessor, AutoModelForImageClassification"
        packages = "torch", "torchvision", "timm", "transformers"
        return Runtime(("import torch", names), _PHOTOS.format(link=link), packages, _READ)
    config = made.backbone.config
    unit = "[torch.nn.functional.normalize(each, dim=1) for each in pooled]"
    code = _TEXTS.format(
        last=_LAST[config["pooling"]],
        middle=config["layers"][1:],
        parts=unit if config["normalise"] else "pooled",
        several=(_COMPARED if made.apart else "") + (_AVERAGED if made.windows > 1 else ""),
        link=link,
    )
    imports = "import torch", "from safetensors.torch import load_file", "from transformers import AutoModel"
    return Runtime(imports, code, ("torch", "transformers", "safetensors"))


def _refuse(made: Deployable) -> str | None:
    source, config = SOURCES[made.backbone.source], made.backbone.config
    opens = bool(source.pipeline(config)) if made.takes_photos else "pooling" in config
    return None if opens else f"its backbone is {source.called} that transformers has no class for"


TRANSFORMERS = Format(
    name="transformers", title="a folder of transformers", runtime=_runtime, write=write, refuse=_refuse
)
