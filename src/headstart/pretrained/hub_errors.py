"""What the user reads when a model of the hub is not to be had: one or two lines for each cause."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headstart.errors import ModelError, first_line
from headstart.pretrained import catalog

_LOGIN = "log in: hf auth login"
_OTHER_CACHE = "set HF_HOME to a folder with room that can be written"


class AbsentError(ModelError):
    """A model that is neither on this machine nor, as far as is known, elsewhere."""


@contextmanager
def plain_errors(repo: str) -> Iterator[None]:
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
        raise AbsentError(
            f"{repo} is not on this machine; it comes from the hub, and HF_HUB_OFFLINE is set",
            where="--model",
            fix=instead(repo, "unset it once, with a network: the model is kept"),
        ) from None
    except GatedRepoError:
        raise ModelError(
            "its licence has to be accepted first", where=page, fix="open that page, accept it, then: hf auth login"
        ) from None
    except RepositoryNotFoundError:
        raise AbsentError(
            f"the hub has no model {repo} (or it is private)", where="--model", fix=nearest(repo) or _LOGIN
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
            raise no_room(repo, str(error.strerror)) from None
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise ModelError(
                f"the hub's cache cannot be written: {error.strerror}", where=constants.HF_HUB_CACHE, fix=_OTHER_CACHE
            ) from None
        raise _unreachable(repo, error) from error


def _unreachable(repo: str, error: Exception) -> ModelError:
    from huggingface_hub import constants

    blobs = Path(constants.HF_HUB_CACHE) / folder_name(repo) / "blobs"
    partial = max((file.stat().st_size for file in blobs.glob(f"{'?' * 64}.incomplete")), default=0)
    reason = first_line(error)
    if partial:
        return ModelError(
            f"the download of {repo} was cut after {partial / 1e6:.1f} MB: {reason}",
            where=constants.ENDPOINT,
            fix="run the same command again: it goes on from there",
        )
    return AbsentError(
        f"{repo} is not on this machine; it comes from the hub, and {constants.ENDPOINT} cannot be reached: {reason}",
        where="--model",
        fix=instead(repo, "run it once with a network: the model is kept; or name a folder that has it"),
    )


def no_room(repo: str, what: str) -> ModelError:
    from huggingface_hub import constants

    return ModelError(f"no room for {repo}: {what}", where=constants.HF_HUB_CACHE, fix=f"free some, or {_OTHER_CACHE}")


def other_weights(repo: str, *, found: str, expected: str) -> ModelError:
    return ModelError(
        f"wrong weights: sha256 {found[:12]}..., expected {expected[:12]}...",
        where=f"{repo}/model.safetensors",
        fix="damaged on the way, or another version: run it again; if it stays, do not use them",
    )


def nearest(repo: str) -> str:
    near = catalog.nearest(repo.removeprefix("timm/"))
    return f"did you mean {near}?" if near else ""


def instead(repo: str, fetch: str) -> str:
    """What to do without a network: take a model that is at hand, or the one that was meant; or fetch it."""
    card = next((card for card in catalog.cards() if card.repo == repo), None)
    if card is None:
        return nearest(repo) or fetch
    names = ", ".join(other.name for other in catalog.at_hand(card.kind))
    return f"at hand for {card.kind}s: {names}; or {fetch}" if names else fetch


def folder_name(repo: str) -> str:
    """As the client calls a model's folder in its cache."""
    return f"models--{repo.replace('/', '--')}"
