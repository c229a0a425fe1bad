"""How an ONNX model's images are prepared, and what its classes are called: from the files that lie beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headstart.errors import ModelError
from headstart.values import ImagePreparation

_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers, which transformers writes


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
                return reader(content), {"name": name, "content": content}
            except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
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
        names = content.get("label_names") or (content.get("pretrained_cfg") or {}).get("label_names")
        if not names and content.get("id2label"):
            numbered = {int(index): str(label) for index, label in content["id2label"].items()}
            names = [numbered[i] for i in sorted(numbered)]
        if names and len(names) == n and len(set(names)) == n:
            return [str(label) for label in names]
    return [f"class {i}" for i in range(n)]


def _json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"not JSON: {error}", where=str(path)) from None
    return content if isinstance(content, dict) else {}


def _timm(content: dict[str, Any]) -> ImagePreparation:
    settings = content["pretrained_cfg"]
    if settings.get("crop_mode", "center") != "center":
        raise ValueError(f"crop_mode {settings['crop_mode']!r}; headstart cuts the centre")
    channels, height, width = settings["input_size"]
    if channels != 3:
        raise ValueError(f"{channels} channels, not 3")
    return _made((height, width), settings["crop_pct"], settings["interpolation"], settings["mean"], settings["std"])


def _transformers(content: dict[str, Any]) -> ImagePreparation:
    if not content.get("do_resize", True) or not content.get("do_rescale", True):
        raise ValueError("do_resize or do_rescale is off")
    if abs(float(content.get("rescale_factor", 1 / 255)) * 255 - 1) > 1e-3:
        raise ValueError(f"rescale_factor {content['rescale_factor']}, not 1/255")
    size = content["size"]
    shortest = size.get("shortest_edge") if isinstance(size, dict) else None
    if shortest is None:
        raise ValueError(f"size {size} squeezes images; headstart keeps their shape (size with shortest_edge)")
    if content.get("do_center_crop"):
        side = content["crop_size"]
        cut = (side["height"], side["width"]) if isinstance(side, dict) else (side, side)
        crop = min(cut) / shortest
    elif "crop_pct" in content:  # ConvNeXt's: the size is that of the cut
        cut, crop = (shortest, shortest), content["crop_pct"]
    else:
        raise ValueError("no centre crop, so images of any shape")
    plain = not content.get("do_normalize", True)
    mean, std = ([0, 0, 0], [1, 1, 1]) if plain else (content["image_mean"], content["image_std"])
    return _made(cut, crop, _FILTERS[content["resample"]], mean, std)


def _made(size: tuple[int, int], crop: float, interpolation: str, mean: Any, std: Any) -> ImagePreparation:
    if interpolation not in _FILTERS.values():
        raise ValueError(f"interpolation {interpolation!r}")
    if not 0 < crop <= 1:
        raise ValueError(f"a crop of {crop:g} of the side")
    (r, g, b), (x, y, z) = map(float, mean), map(float, std)
    return ImagePreparation((int(size[0]), int(size[1])), float(crop), interpolation, (r, g, b), (x, y, z))
