"""The numbers that choosing goes by, each with what it rests on."""

from __future__ import annotations

CHOOSING = 0.25  # of the budget, for ranking models: a quarter leaves time to train the one that is taken
ALONE = 0.75  # of the budget, for encoding with a model that cannot be trained: nothing else takes long
FEWEST = 10_000  # examples that a probe wants: more make it hardly better (docs/tuning.md)
FEWEST_OF_A_CLASS = 200  # as above
WINDOWS_SHARE = 0.25  # of the budget, for reading long texts in windows, and as much to find out whether to
TIMED = 2048  # examples whose encoding says how fast it is: some seconds of a small model
NEARLY_ALL = 0.9  # of the examples: no use in leaving out the rest
