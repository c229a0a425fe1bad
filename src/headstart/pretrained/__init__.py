"""Somebody else's models. The only room that names timm, transformers, torchvision and Keras."""

from headstart.pretrained.catalog import DEFAULT, Card, models
from headstart.pretrained.description import class_hash, saved_classifier, saved_reader
from headstart.pretrained.load import answers_questions, load, load_classifier, load_reader, saved_in
from headstart.pretrained.rebuild import describe_saved, head_hash, head_of, reopen, verified

__all__ = [
    "DEFAULT",
    "Card",
    "answers_questions",
    "class_hash",
    "describe_saved",
    "head_hash",
    "head_of",
    "load",
    "load_classifier",
    "load_reader",
    "models",
    "reopen",
    "saved_classifier",
    "saved_in",
    "saved_reader",
    "verified",
]
