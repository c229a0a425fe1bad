"""From the user's files to checked examples and a split."""

from headstart.data.check import check
from headstart.data.columns import Columns
from headstart.data.known import known_images
from headstart.data.questions import has_questions, read_questions, read_questions_with_test
from headstart.data.read import read, read_inputs, read_with_test
from headstart.data.split import folds, sample, split, split_questions

__all__ = [
    "Columns",
    "check",
    "folds",
    "has_questions",
    "known_images",
    "read",
    "read_inputs",
    "read_questions",
    "read_questions_with_test",
    "read_with_test",
    "sample",
    "split",
    "split_questions",
]
