"""Which pre-trained model, and how to adapt it."""

from headstart.choose.amount import Amount, affordable
from headstart.choose.budget import Budget, seconds_of
from headstart.choose.plan import plan, require_trainable, way_of
from headstart.choose.rank import as_json, rank_models

__all__ = [
    "Amount",
    "Budget",
    "affordable",
    "as_json",
    "plan",
    "rank_models",
    "require_trainable",
    "seconds_of",
    "way_of",
]
