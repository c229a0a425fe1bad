"""What is downloaded: a model's folder, or an export of it, proved and packed."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import Field

from headstart.studio.examples import Source, SourceFacts
from headstart.studio.facts import Facts, FileName, known_facts, write_facts
from headstart.studio.plain_folders import inside
from headstart.studio.trail import Trail
from headstart.studio.training import MODEL

RESULT = "result.json"
AS_IT_IS = "model"  # the saved folder, which is no export
STAGES = {"export": (0.0, 0.9), "pack": (0.9, 1.0)}


class Options(Facts):
    """What a download is asked for with."""

    run: int = Field(ge=1)
    format: FileName
    quantize: str | None
    name: FileName
    title: str | None = None  # of the project, which its page has
    source: SourceFacts


class Proof(Facts):
    """How an export was measured against the model."""

    n: int
    largest_difference: float
    same_top1: int
    accuracy_before: float | None
    accuracy_after: float | None


class Result(Facts):
    """What `result.json` of a download holds."""

    proof: Proof | None
    zip: FileName
    size: int = Field(ge=0)


def work(folder: Path, options: Mapping[str, Any], trail: Trail) -> None:
    """Write the folder, and a zip of it beside."""
    model = inside(folder.parents[1], f"runs/{options['run']}/{MODEL}")
    format, name, proof = options["format"], options["name"], None
    with trail.step("export"):
        if format == AS_IT_IS:
            made, called = model, f"{name}.headstart"
        else:
            called = f"{name}-{format}"
            made = inside(folder, called)
            proof = _exported(folder, made, model, options, trail)
    with trail.step("pack", sum(1 for path in made.rglob("*") if path.is_file())) as advance:
        packed, unfinished = folder / f"{called}.zip", folder / f".{called}.zip.tmp"
        unfinished.unlink(missing_ok=True)  # of a process that was killed
        with zipfile.ZipFile(unfinished, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
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
    from headstart.export.export import Wanted, export
    from headstart.export.table import format_named

    facts = folder / "proof.json"
    if made.exists():
        known = known_facts(facts, Proof)
        if known is not None:
            return known.model_dump()
        shutil.rmtree(made)  # our own, of which nobody knows what it is worth
    opened = hs.load(model)
    source = Source.of_facts(options["source"], model.parent)
    asked = Wanted(
        format_named(options["format"]),
        options["quantize"],
        data=source.data,
        columns=source.columns,
        name=options.get("title"),
    )
    exported = export(opened, made, asked, given=None, made_of=None)
    cost = exported.cost
    proof = asdict(exported.proof) | {
        "accuracy_before": None if cost is None else cost.before,
        "accuracy_after": None if cost is None else cost.after,
    }
    write_facts(facts, proof)
    return proof
