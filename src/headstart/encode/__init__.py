"""A frozen backbone over many examples, once."""

from headstart.encode.encode import Activations, encode, encode_views, features_key, renewed_key, unknown
from headstart.encode.store import image_hashes, table

__all__ = ["Activations", "encode", "encode_views", "features_key", "image_hashes", "renewed_key", "table", "unknown"]
