"""A frozen backbone over many examples, once."""

from headstart.encode.encode import encode, missing
from headstart.encode.store import image_hashes, table

__all__ = ["encode", "image_hashes", "missing", "table"]
