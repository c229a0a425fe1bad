"""`headstart cache`."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from headstart.commands import common
from headstart.errors import UserError
from headstart.report import terminal


def cache(
    prune: Annotated[
        str | None, typer.Option(help="Remove what was not used for longest, down to this size: 0, 500MB, 2GB.")
    ] = None,
    as_json: common.Json = False,
) -> None:
    """Show what is kept, and remove what is not needed."""
    from dataclasses import asdict

    from headstart.encode import pruning as kept
    from headstart.encode import store
    from headstart.storage.places import cache_folder

    gone = [] if prune is None else kept.prune(most_bytes=_bytes(prune))
    tables, left, fetched = list(store.tables()), list(kept.left()), list(kept.fetched())
    result = {
        "folder": str(cache_folder()),
        "bytes": sum(t.bytes for t in tables) + sum(f.bytes for f in (*left, *fetched)),
        "tables": [asdict(t) for t in tables],
        "fits": [asdict(f) for f in left],
        "fetched": [asdict(f) for f in fetched],
        "removed": [asdict(t) for t in gone],
        "models_bytes": kept.models_bytes(),
        "beside_bytes": kept.beside_bytes(),
    }
    common.show(result, as_json, terminal.cache)


def _bytes(size: str) -> int:
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "B": 1}
    typed = size.strip().upper()
    unit = next((u for u in units if typed.endswith(u)), "")
    try:
        number = float(typed.removesuffix(unit)) * units.get(unit, 1)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise UserError(f"not a size: {size!r}", where="--prune", fix="for example 0, 500MB or 2GB")
    return int(number)
