"""From weights that were found to a Backbone.

The first time, the library that the weights come from says how the model is built and fed; this description is kept in
the cache beside the headless weights, under the sha256 of the file and the library's version. After that a Backbone is
opened without loading torch: its `module` is built only where an engine has to be compiled.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from headstart.backbone import Backbone, Kind
from headstart.errors import ModelError
from headstart.pretrained.description import description, saved_classifier, told_by
from headstart.pretrained.find import find
from headstart.pretrained.forms import FORMS, Found
from headstart.pretrained.heads import NEW_SPANS, NO_HEAD, SPANS
from headstart.pretrained.opened import Classifier
from headstart.pretrained.rebuild import backbone_hash, classifier_in, head_of, rebuilt, reopen
from headstart.pretrained.sentence_files import PLAIN
from headstart.pretrained.shards import index_in, shards_of
from headstart.pretrained.weights import NAMES, file_sha256, refuse_unlike_its_name
from headstart.progress import Progress, Silent
from headstart.storage.files import MOST_JSON, is_there, parse_json, read_json, user_path
from headstart.storage.kept import in_a_folder, room, unfinished_folder, write_kept
from headstart.storage.places import as_json

_DESCRIPTION = 7  # raise when the description's form changes


def load(name: str, *, kind: Kind, progress: Progress | None = None) -> Backbone:
    """Open a backbone by catalog name, hub name, folder, file or ARCHITECTURE=FILE.

    Args:
        name: which.
        kind: of the data that it is for.
        progress: told of a step "fetch", where the hub is asked for the weights, and then of one "open". Without it,
            the first shows on a terminal all the same.

    Raises:
        ModelError: unknown, not on this machine, damaged, or made for another kind of data.
    """
    found = find(name, progress=progress)
    with (progress or Silent()).step("open"):
        backbone, _ = _open(found)
    if backbone.kind != kind:
        raise ModelError(f"{name} is a model for {backbone.kind}s, the data are {kind}s", where="--model")
    return backbone


def load_classifier(name: str) -> tuple[Backbone, Classifier]:
    """A pre-trained model with the classes that it was trained on, by the same names as `load`.

    Raises:
        ModelError: as `load`; or the weights have no classifier.
    """
    found = find(name)
    if FORMS[found.form].finds_answers(found):
        raise ModelError(
            f"{found.name} finds answers in texts; it has no classes",
            where=name,
            fix=f"headstart answer {name} QUESTION --context FILE, or hs.load",
        )
    backbone, classifier = _open(found, with_head=True)
    if classifier is None:
        raise ModelError(
            f"{found.name} has no classes of its own: its weights have no classifier",
            where=name,
            fix=f"adapt it to yours: headstart fit DATA --model {name}",
        )
    return backbone, classifier


def load_reader(name: str, *, new_head: bool = False, progress: Progress | None = None) -> Backbone:
    """A model that finds answers in texts, by the same names as `load`; its features are (n, t, 2) scores.

    For each token of a question and a text: is it the first of the answer, is it the last.

    Args:
        new_head: any text encoder will do; where it has no such head it gets one of random numbers, which has yet to be
            trained, and the backbone's config says "new spans" for its head.
        progress: as for `load`.

    Raises:
        ModelError: as `load`; or it is no such model.
    """
    found = find(name, progress=progress)
    found = FORMS[found.form].unsaved(found)
    trained = FORMS[found.form].finds_answers(found)
    if new_head and not FORMS[found.form].texts:
        raise ModelError(
            f"{found.name} does not read texts",
            where=name,
            fix="take a text encoder of BERT's kind: headstart models lists some",
        )
    if not new_head and not trained:
        raise ModelError(
            f"{found.name} does not find answers in texts: it has no head for that",
            where=name,
            fix="take a model whose config.json says ForQuestionAnswering (trained on SQuAD, say)",
        )
    with (progress or Silent()).step("open"):
        return _described(found, head=(SPANS if trained else NEW_SPANS).name)[0]


def answers_questions(name: str) -> bool:
    """Whether a model is one for `load_reader`, as its config.json says.

    Raises:
        ModelError: as `load`, where there is nothing of that name.
    """
    found = find(name)
    return FORMS[found.form].finds_answers(found)


def saved_in(model: str | Path) -> tuple[dict[str, Any] | None, Path]:
    """What headstart.json says in the folder of this name, unchecked, and the folder; None where there is none.

    Raises:
        ModelError: it cannot be read, or is no JSON object.
    """
    try:
        folder = user_path(model)
    except OSError:
        return None, Path(model)
    return told_by(folder), folder


def _open(found: Found, *, with_head: bool = False) -> tuple[Backbone, Classifier | None]:
    if "reader" in found.config:  # as what it is apart from that: an encoder
        found = FORMS[found.form].unsaved(found)
    form = FORMS[found.form]
    if form.saved:
        return _saved(found)
    backbone, described, home = _described(found, head=form.classifier if with_head else NO_HEAD.name)
    if not with_head or described["classes"] is None:
        return backbone, None
    return backbone, classifier_in(home / "head.safetensors", described["classes"], backbone.width)


def _described(found: Found, *, head: str) -> tuple[Backbone, dict[str, Any], Path]:
    """The backbone, what was written down of it, and the folder where that is."""
    home = _home(found, head=head)
    described = _kept(home, found)
    if described is None:
        write = partial(_keep, found=found, head=head)
        home = in_a_folder(home, write, what=f"the description of {found.name}", size=_bytes(found))
        described = _kept(home, found)
    if described is None:
        raise ModelError("what is kept of it in the cache cannot be read", where=str(home), fix="headstart cache")
    return rebuilt(described, _weights(found, home, described), proven=True), described, home


def _kept(home: Path, found: Found) -> dict[str, Any] | None:
    """What is kept in the cache of a model; None where nothing is, or not the whole of it."""
    if not is_there(home / "backbone.json"):
        return None
    try:
        kept = read_json(home / "backbone.json")
        if any((home / name).stat().st_size != size for name, size in kept.get("bytes", {}).items()):
            return None  # a power loss
        described = description({**kept, "name": found.name, "licence": found.licence}, home)
        for file in (_weights(found, home, described), *([home / "head.safetensors"] if described["classes"] else ())):
            refuse_unlike_its_name(file)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ModelError):
        return None
    return described


def _saved(found: Found) -> tuple[Backbone, Classifier]:
    """The backbone of a folder that `fit` saved, just as it was used there, and its head."""
    described = saved_classifier(found.config, found.path)
    return replace(reopen(found.path, described["backbone"]), name=found.name), head_of(found.path, described)


def _weights(found: Found, home: Path, described: dict[str, Any]) -> Path:
    """In the description's folder; an encoder that has a safetensors file of its own is left where it is."""
    own = found.path / described["weights"]
    return own if FORMS[found.form].stay and is_there(own) else home / str(described["weights"])


def _home(found: Found, *, head: str) -> Path:
    """The folder of the description, named after all that it depends on."""
    form = FORMS[found.form]
    if found.path.is_dir():
        name, folder, weights = "", found.path, _files(found.path)
    else:
        name, folder, weights = found.path.name, found.path.parent, [found.path]  # the name may say what the file is of
    beside = [folder / name for name in form.beside]
    hashes = [file_sha256(file) if is_there(file) else "" for file in weights]
    hashes += [file_sha256(file, most=MOST_JSON) if is_there(file) else "" for file in beside]
    by = f"{form.library} {version(form.library)}"
    hashes += [] if found.words is None else [file_sha256(found.words / "tokenizer.json", most=MOST_JSON)]
    asked = f"{_DESCRIPTION} {form.name} {by} {found.architecture} {name} {head} {hashes}"
    asked += "" if found.usual == PLAIN else f" {found.usual}"
    key = hashlib.sha256(f"{asked} {as_json(found.config)}".encode()).hexdigest()[:24]
    return room("backbones") / key


def _bytes(found: Found) -> int:
    """What a description needs, about: that of an encoder leaves safetensors where they are."""
    if found.path.is_file():
        return found.path.stat().st_size
    files = _files(found.path)
    if FORMS[found.form].stay and files[0].exists():
        return 0
    there = [file.stat().st_size for file in files if file.exists()]
    return sum(there) if len(files) > len(NAMES) else sum(there[:1])


def _files(folder: Path) -> list[Path]:
    """The weights that a folder may have; where they are in several files, these too."""
    one = [folder / name for name in NAMES]
    index = None if any(is_there(file) for file in one) else index_in(folder)
    return [*one, *(() if index is None else (index, *shards_of(index)))]


def _keep(home: Path, *, found: Found, head: str) -> None:
    """Describe into a folder of its own, then rename: two runs at once, or a kill, leave nothing half done."""
    with unfinished_folder(home) as folder:
        described = FORMS[found.form].describe(found, folder, head)
        described["weights_hash"] = backbone_hash(
            described["source"], _weights(found, folder, described), described["config"]
        )
        described |= {"name": found.name, "licence": found.licence}
        description(parse_json(as_json(described)), found.path, ours=False)
        described["bytes"] = {file.name: file.stat().st_size for file in folder.iterdir() if file.is_file()}
        write_kept(folder / "backbone.json", as_json(described))
        if home.exists() and _kept(home, found) is None:  # damaged
            shutil.rmtree(home, ignore_errors=True)
        try:
            folder.rename(home)
        except OSError:
            if _kept(home, found) is None:  # another run was not first: a real failure
                raise
