"""The numbers that choosing goes by, each with what it rests on."""

from __future__ import annotations

CHOOSING = 0.25  # of the budget, for ranking models: a quarter leaves time to train the one that is taken
# Of the budget, for encoding. Texts need not be encoded to be tuned on: what takes longer costs training more than it
# gives the probe. Of images, then about twice as many are encoded as there is time to train on.
ENCODING = {"image": 0.25, "text": 0.1}
ALONE = 0.75  # of the budget, for encoding with a model that cannot be trained: nothing else takes long
FEWEST = 10_000  # examples that a probe wants: more make it hardly better (docs/tuning.md)
FEWEST_OF_A_CLASS = 200  # as above
TIMED = 2048  # examples whose encoding says how fast it is: some seconds of a small model
NEARLY_ALL = 0.9  # of the examples: no use in leaving out the rest
