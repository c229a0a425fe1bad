"""Let torchvision import beside a build of torch that it was not compiled for.

The index's torchvision wheel is a CUDA build. Beside a CPU build of torch its C++ operators do not load, and then its
Python side fails at import (`operator torchvision::nms does not exist`), and timm with it. Declaring the two missing
schemas is enough: nothing in headstart calls them. It does nothing where they exist.
"""

from __future__ import annotations

import torch

_BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_library: torch.library.Library | None = None  # schemas live as long as this object


def declare_missing() -> None:
    """Declare `torchvision::nms` and `torchvision::qnms` if torchvision's own binary cannot."""
    global _library
    if _library is not None or _binary_loads():
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + _BOXES)
    _library = library


def _binary_loads() -> bool:
    import importlib.util
    from pathlib import Path

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # nothing to repair
    found = sorted(Path(spec.origin).parent.glob("_C*.so")) + sorted(Path(spec.origin).parent.glob("_C*.pyd"))
    try:
        for path in found:
            torch.ops.load_library(path)
    except OSError:
        return False
    return True
