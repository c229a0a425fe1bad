"""From features to trained weights."""

from headstart.adapt.probe import probe

__all__ = ["probe"]
