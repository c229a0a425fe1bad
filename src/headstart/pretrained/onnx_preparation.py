"""How an ONNX model's images are prepared, and what its classes are called: from the files that lie beside it."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast, get_args

from headstart.backbone import CropMode, ImagePreparation
from headstart.errors import ModelError
from headstart.pretrained.description import IMAGES
from headstart.pretrained.foreign_files import json_object
from headstart.pretrained.schema import an_object
from headstart.pretrained.timm_arguments import PRETRAINED
from headstart.storage.files import is_there

_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers, which transformers writes
_KEPT = {
    *("do_resize", "do_rescale", "do_center_crop", "do_normalize", "do_pad", "do_flip_channel_order", "do_convert_rgb"),
    *("size", "resample", "rescale_factor", "rescale_offset", "crop_size", "crop_pct", "image_mean", "image_std"),
    *("image_processor_type", "feature_extractor_type", "label_names", "id2label", "label2id", "num_labels"),
    *("pretrained_cfg", "architecture", "num_classes", "num_features", "model_type", "architectures"),
}
_CONVNEXT_SQUASHES = 384  # pixels, from where transformers' ConvNeXt keeps the whole image


def read_preparation(folder: Path) -> tuple[ImagePreparation, dict[str, Any]]:
    """The preparation, and the file that says so as {"name", "content"}.

    Raises:
        ModelError: no such file, or it asks for something that headstart does not do.
    """
    for name, reader in (("preprocessor_config.json", _transformers), ("config.json", _timm)):
        content = _json(folder / name)
        if name == "config.json" and "pretrained_cfg" not in content:
            continue
        if content:
            try:
                return reader(content), {"name": name, "content": _known(content)}
            except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
                raise ModelError(f"how images are prepared is not clear: {error}", where=str(folder / name)) from None
    raise ModelError(
        "nothing says how its images are prepared",
        where=str(folder),
        fix="put the model's preprocessor_config.json (transformers) or config.json with pretrained_cfg (timm) there",
    )


def class_names(folder: Path, n: int) -> list[str]:
    """As the files beside the model say; else numbered."""
    for name in ("config.json", "preprocessor_config.json"):
        content = _json(folder / name)
        settings, labels = content.get("pretrained_cfg"), content.get("id2label")
        names = content.get("label_names") or (settings.get("label_names") if isinstance(settings, dict) else None)
        if not names and isinstance(labels, dict) and all(index.isdecimal() for index in labels):
            names = [labels[index] for index in sorted(labels, key=int)]
        if isinstance(names, list) and len(names) == n and len({str(name) for name in names}) == n:
            return [str(label) for label in names]
    return [f"class {i}" for i in range(n)]


def _json(path: Path) -> dict[str, Any]:
    return json_object(path) if is_there(path) else {}


def _known(content: dict[str, Any]) -> dict[str, Any]:
    """What of a file goes with a saved model: all that such files say of images and classes, and nothing else."""
    kept = {name: value for name, value in content.items() if name in _KEPT}
    found: dict[str, Any] = an_object(kept, "")
    if isinstance(found.get("pretrained_cfg"), dict):
        found["pretrained_cfg"] = PRETRAINED(found["pretrained_cfg"], "pretrained_cfg")
    return found


def _timm(content: dict[str, Any]) -> ImagePreparation:
    settings = content["pretrained_cfg"]
    channels, height, width = settings["input_size"]
    if channels != 3:
        raise ValueError(f"{channels} channels, not 3")
    colours = (settings["mean"], settings["std"])
    mode = settings.get("crop_mode") or "center"
    return _made((height, width), settings["crop_pct"], mode, settings["interpolation"], colours)


def _transformers(content: dict[str, Any]) -> ImagePreparation:
    off = [name for name in ("do_resize", "do_rescale") if not content.get(name, True)]
    on = [name for name in ("do_pad", "do_flip_channel_order", "rescale_offset") if content.get(name)]
    if off or on:
        raise ValueError(f"{(off or on)[0]} is {'off' if off else 'on'}")
    if abs(float(content.get("rescale_factor", 1 / 255)) * 255 - 1) > 1e-3:
        raise ValueError(f"rescale_factor {content['rescale_factor']}, not 1/255")
    mode, resized, cut = _resized_and_cut(content)
    plain = not content.get("do_normalize", True)
    colours = ([0, 0, 0], [1, 1, 1]) if plain else (content["image_mean"], content["image_std"])
    return _made(cut, _share(cut, resized), mode, _FILTERS[content["resample"]], colours)


def _resized_and_cut(content: dict[str, Any]) -> tuple[str, tuple[int, int], tuple[int, int]]:
    """The crop mode, and (height, width) before and after the cut (mode "center": of the shorter side before it)."""
    size, share = content["size"], content.get("crop_pct")
    cut = _sides(content["crop_size"]) if content.get("do_center_crop") else None
    if not isinstance(size, dict):
        raise ValueError(f"size {size}: of both sides or of the shorter one?")
    if {"height", "width"} <= size.keys() and share is None:
        return "squash", _sides(size), cut or _sides(size)
    if set(size) != {"shortest_edge"} or "Levit" in _processor(content):  # Levit's resizes to more than it says
        raise ValueError(f"size {size}")
    side = size["shortest_edge"]
    if share is not None and cut is None:  # ConvNeXt's: large images are squashed
        if side >= _CONVNEXT_SQUASHES:
            return "squash", (side, side), (side, side)
        cut = (side, side)
    if cut is None or cut[0] != cut[1]:
        raise ValueError("no centre crop to a square, so images of any shape")
    side = int(side / (share or 1))
    return "center", (side, side), cut


def _processor(content: dict[str, Any]) -> str:
    return str(content.get("image_processor_type") or content.get("feature_extractor_type"))


def _sides(size: Any) -> tuple[int, int]:
    """(height, width) of {"height", "width"} or of one number for both."""
    return (int(size["height"]), int(size["width"])) if isinstance(size, dict) else (int(size), int(size))


def _share(cut: tuple[int, int], resized: tuple[int, int]) -> float:
    """What a side of the cut is divided by, and rounded down, to give the size before it."""
    share = cut[0] / resized[0]
    for crop in (share, math.nextafter(share, 0)):  # 224 / (224 / 354) is a little less than 354
        if all(math.floor(small / crop) == large for small, large in zip(cut, resized, strict=True)):
            return crop
    raise ValueError(f"{cut} cut out of {resized}, another share of each side")


def _made(
    size: tuple[int, int], crop: float, mode: str, interpolation: str, colours: tuple[Any, Any]
) -> ImagePreparation:
    if mode not in get_args(CropMode):
        raise ValueError(f"crop_mode {mode!r}")
    if interpolation not in _FILTERS.values():
        raise ValueError(f"interpolation {interpolation!r}")
    if not 0 < crop <= 1:
        raise ValueError(f"a crop of {crop:g} of the side")
    (r, g, b), (x, y, z) = (map(float, values) for values in colours)
    height, width = size
    found = ImagePreparation(
        (int(height), int(width)), float(crop), interpolation, (r, g, b), (x, y, z), cast("CropMode", mode)
    )
    told = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(found).items()}
    IMAGES(told, "")  # sizes and colours that can be
    return found
