"""From the user's files to checked examples and a split."""

from headstart.data.check import check
from headstart.data.columns import Columns
from headstart.data.known import known_images
from headstart.data.read import read, read_inputs, read_with_test
from headstart.data.split import folds, sample, split

__all__ = ["Columns", "check", "folds", "known_images", "read", "read_inputs", "read_with_test", "sample", "split"]
