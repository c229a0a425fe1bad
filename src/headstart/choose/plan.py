"""The choice of model and way. So far: the starter of the kind of data, and the probe."""

from __future__ import annotations

from headstart.errors import UserError
from headstart.pretrained.catalog import DEFAULT
from headstart.values import Kind, Plan

_WAYS = ("auto", "probe")


def plan(kind: Kind, *, model: str = "auto", how: str = "auto") -> Plan:
    """Raises UserError for a way that does not exist (yet)."""
    if how not in _WAYS:
        raise UserError(f"unknown way {how!r}", where="--how", fix=f"one of: {', '.join(_WAYS)}")
    if model == "auto":
        return Plan(DEFAULT[kind], "probe", f"the packaged starter for {kind}s")
    return Plan(model, "probe", "asked for")
