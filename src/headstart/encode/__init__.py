"""A frozen backbone over many examples, once."""

from headstart.encode.encode import encode, features_key, missing
from headstart.encode.store import image_hashes, table

__all__ = ["encode", "features_key", "image_hashes", "missing", "table"]
