"""Somebody else's models. The only room that names timm, transformers, torchvision and Keras."""

from headstart.pretrained.catalog import DEFAULT, Card, models
from headstart.pretrained.load import describe_saved, load, load_classifier, reopen

__all__ = ["DEFAULT", "Card", "describe_saved", "load", "load_classifier", "models", "reopen"]
