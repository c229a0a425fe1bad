"""Somebody else's models. The only room that names timm and transformers."""

from headstart.pretrained.catalog import DEFAULT, Card, models
from headstart.pretrained.load import describe_saved, load, reopen

__all__ = ["DEFAULT", "Card", "describe_saved", "load", "models", "reopen"]
