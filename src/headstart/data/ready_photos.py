"""The few photos that a model is asked about, each read, hashed and decoded once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from headstart.backbone import Backbone
from headstart.data.inspect_images import reason_of
from headstart.errors import DataError
from headstart.inputs.image import is_a_file, open_image, prepare, read_bytes, wanted_side
from headstart.inputs.ready import ReadyPhoto

_WORKERS = 2


def ready_photos(items: Sequence[Any], backbone: Backbone) -> list[Any]:
    """Each photo as the backbone takes it; in the place of one that cannot be read, the DataError that says why."""
    one = partial(_ready, backbone=backbone)
    if len(items) == 1:  # starting threads would take a tenth of the time
        return [one(items[0])]
    with ThreadPoolExecutor(_WORKERS) as pool:
        return list(pool.map(one, items))


def _ready(source: Any, backbone: Backbone) -> Any:
    if isinstance(source, ReadyPhoto | DataError):
        return source
    try:
        content = read_bytes(source)
        as_file = content if is_a_file(source) or isinstance(source, bytes | bytearray | memoryview) else None
        image = open_image(source, content=as_file, near=wanted_side(backbone.images))
    except (DataError, OSError, MemoryError) as error:
        return DataError(reason_of(source, error))
    return ReadyPhoto(prepare(image, backbone.images), hashlib.sha256(content).digest(), backbone.images)
