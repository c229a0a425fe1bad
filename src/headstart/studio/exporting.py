"""What is downloaded: a model's folder, or an export of it, proved and packed."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headstart.studio.examples import Source, inside
from headstart.studio.facts import read_facts, write_facts
from headstart.studio.trail import Trail

RESULT = "result.json"
AS_IT_IS = "model"  # the saved folder, which is no export
STAGES = {"export": (0.0, 0.9), "pack": (0.9, 1.0)}


def work(folder: Path, options: Mapping[str, Any], trail: Trail) -> None:
    """Write the folder, and a zip of it beside."""
    model, name = inside(folder.parents[1], options["model"]), Path(options["name"]).name
    format, proof = Path(options["format"]).name, None
    with trail.step("export"):
        if format == AS_IT_IS:
            made, called = model, f"{name}.headstart"
        else:
            called = f"{name}-{format}"
            made = folder / called
            proof = _exported(folder, made, model, options, trail)
    with trail.step("pack", sum(1 for path in made.rglob("*") if path.is_file())) as advance:
        packed, unfinished = folder / f"{called}.zip", folder / f".{called}.zip.tmp"
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for path in sorted(made.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    archive.write(path, f"{called}/{path.relative_to(made).as_posix()}")
                    advance(1)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(packed)
        write_facts(folder / RESULT, {"proof": proof, "zip": packed.name, "size": packed.stat().st_size})


def _exported(folder: Path, made: Path, model: Path, options: Mapping[str, Any], trail: Trail) -> dict[str, Any]:
    """Export, and give the proof; where a process before this one did so, its proof."""
    import headstart as hs

    facts = folder / "proof.json"
    if made.exists():
        known = read_facts(facts)
        if known is not None:
            return known
        shutil.rmtree(made)  # our own, of which nobody knows what it is worth
    opened = hs.load(model)
    source = Source.of_facts(options["source"], model.parent)
    exported = opened.export(
        made, format=options["format"], quantize=options["quantize"], data=source.data, columns=source.columns
    )
    cost = exported.cost
    proof = asdict(exported.proof) | {
        "accuracy_before": None if cost is None else cost.before,
        "accuracy_after": None if cost is None else cost.after,
    }
    write_facts(facts, proof)
    return proof
