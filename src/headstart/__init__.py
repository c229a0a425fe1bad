"""headstart: adapt a pre-trained model to your own images or texts, with an honest score.

Names are resolved on first use, so that `import headstart` loads nothing heavy.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "fit": "fit",
    "load": "model",
    "Model": "model",
    "Prediction": "model",
    "Answer": "reader",
    "Reader": "reader",
    "fit_reader": "fit_reader",
    "load_reader": "reader",
    "check": "data.check",
    "models": "pretrained.catalog",
    "rank": "ranking",
    "UserError": "errors",
    "HeadstartClassifier": "estimator",
    "HeadstartReader": "reader_estimator",
}
__all__ = [
    "Answer",
    "HeadstartClassifier",
    "HeadstartReader",
    "Model",
    "Prediction",
    "Reader",
    "UserError",
    "__version__",
    "check",
    "fit",
    "fit_reader",
    "load",
    "load_reader",
    "models",
    "rank",
]

if TYPE_CHECKING:
    from headstart.data.check import check as check
    from headstart.errors import UserError as UserError
    from headstart.estimator import HeadstartClassifier as HeadstartClassifier
    from headstart.fit import fit as fit
    from headstart.fit_reader import fit_reader as fit_reader
    from headstart.model import Model as Model
    from headstart.model import Prediction as Prediction
    from headstart.model import load as load
    from headstart.pretrained.catalog import models as models
    from headstart.ranking import rank as rank
    from headstart.reader import Answer as Answer
    from headstart.reader import Reader as Reader
    from headstart.reader import load_reader as load_reader
    from headstart.reader_estimator import HeadstartReader as HeadstartReader


class _Package(ModuleType):
    """This module, in which `fit` is the function however it was imported.

    Importing the module `headstart.fit` sets it as an attribute of its package, over the function of the same name.
    A class of a module's own is how Python lets one say otherwise ("Customizing module attribute access").
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'headstart' has no attribute {name!r}")
    value = getattr(import_module(f"headstart.{_HOME[name]}"), name)
    globals()[name] = value
    return value
