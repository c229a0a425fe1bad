"""A frozen backbone over many examples, once."""

from headstart.encode.encode import encode, features_key
from headstart.encode.store import table

__all__ = ["encode", "features_key", "table"]
