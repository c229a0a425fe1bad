"""Code from a model card, run where headstart is not installed."""

from __future__ import annotations

import re
import subprocess
import sys

# Where torch is built for CPUs and torchvision is not (docs/troubleshooting.md); and nothing of ours can be imported.
PLAIN = """
import sys
sys.modules["headstart"] = None
import torch
try:
    import torchvision
except RuntimeError:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    boxes = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        boxes.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def plain(code, here):
    """What a process prints that cannot import headstart."""
    done = subprocess.run([sys.executable, "-c", PLAIN + code], cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def code_of(folder):
    """The model card's blocks of Python."""
    return re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)


def printed_by_the_card(folder, here):
    """The label and the probability that the card's last code prints, run in the folder above."""
    label, probability = plain(code_of(folder)[-1], here).rsplit(" ", 1)
    return label.splitlines()[-1], float(probability)
