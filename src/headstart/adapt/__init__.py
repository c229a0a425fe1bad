"""From features to trained weights."""

from headstart.adapt.basis import fit_basis
from headstart.adapt.head import fit_head, fit_probe, judge
from headstart.adapt.probe import probe

__all__ = ["fit_basis", "fit_head", "fit_probe", "judge", "probe"]
