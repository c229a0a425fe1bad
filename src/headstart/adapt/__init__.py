"""From features to trained weights."""

from headstart.adapt.basis import fit_basis
from headstart.adapt.probe import probe

__all__ = ["fit_basis", "probe"]
