"""Curves of a score as a saved folder says them: each point is in its range, and there are not more than are made."""

from __future__ import annotations

from headstart.evaluate.curves import MOST_COVERAGES, MOST_THRESHOLDS
from headstart.evaluate.metrics import BINS
from headstart.pretrained.schema import COUNT, NAME, listing, number, record

_SHARE = number(0, 1)
RISK_COVERAGE = {
    "risk_coverage": listing(record(dict.fromkeys(("coverage", "accuracy", "confidence"), _SHARE)), most=MOST_COVERAGES)
}
OF_CLASSES = {
    **RISK_COVERAGE,
    "reliability": listing(
        record({"n": COUNT, **dict.fromkeys(("low", "high", "confidence", "accuracy"), _SHARE)}), most=BINS
    ),
    "precision_recall": record(
        {
            "positive": NAME,
            "points": listing(
                record(dict.fromkeys(("threshold", "precision", "recall"), _SHARE)), most=MOST_THRESHOLDS
            ),
        }
    ),
}
