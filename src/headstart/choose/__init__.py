"""Which pre-trained model, and how to adapt it."""

from headstart.choose.plan import plan

__all__ = ["plan"]
