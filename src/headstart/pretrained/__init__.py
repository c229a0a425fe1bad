"""Somebody else's models. The only room that names timm and transformers."""

from headstart.pretrained.catalog import DEFAULT, Card, models
from headstart.pretrained.load import load, load_folder

__all__ = ["DEFAULT", "Card", "load", "load_folder", "models"]
