"""Somebody else's models. The only room that names timm, transformers, torchvision and Keras."""

from headstart.pretrained.catalog import DEFAULT, Card, models
from headstart.pretrained.load import (
    answers_questions,
    describe_saved,
    load,
    load_classifier,
    load_reader,
    reopen,
    verified,
)

__all__ = [
    "DEFAULT",
    "Card",
    "answers_questions",
    "describe_saved",
    "load",
    "load_classifier",
    "load_reader",
    "models",
    "reopen",
    "verified",
]
