"""evaluate: how good a model is on examples it did not see, in numbers and as a page."""

from headstart.evaluate.evaluate import as_json, evaluate

__all__ = ["as_json", "evaluate"]
