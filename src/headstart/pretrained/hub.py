"""The hub's copy on this machine, or a download where there is a network."""

from __future__ import annotations

from pathlib import Path

from headstart.errors import ModelError
from headstart.pretrained import catalog


def fetch(name: str, *, sha256: str = "") -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    repo = name
    wanted = ["config.json", "model.safetensors", "tokenizer*.json", "modules.json", "*_config.json", "1_Pooling/*"]
    near = catalog.nearest(name.removeprefix("timm/"))
    fix = f"did you mean {near}?" if near else "headstart models lists what is at hand"
    try:
        return Path(snapshot_download(repo, allow_patterns=wanted, local_files_only=True))
    except HFValidationError:
        raise ModelError(f"no such folder, and no valid hub name: {name!r}", where="--model", fix=fix) from None
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(repo, allow_patterns=wanted, etag_timeout=5, max_workers=2))
    except Exception as error:  # the client raises its own, httpx's and OS errors, by cause; all mean: not to be had
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{name!r} is not on this machine, and huggingface.co/{repo} cannot be reached: {reason[:160]}",
            where="--model",
            fix=fix,
        ) from error
