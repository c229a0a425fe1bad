"""headstart: adapt a pre-trained model to your own images or texts, with an honest score.

Names are resolved on first use, so that `import headstart` loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Answer": "answering.answerer",
    "Columns": "values",
    "HeadstartClassifier": "estimators.classifier",
    "HeadstartEncoder": "estimators.encoder",
    "HeadstartQA": "estimators.answering",
    "HeadstartRegressor": "estimators.regressor",
    "Model": "model",
    "Prediction": "tasks.classification",
    "UserError": "errors",
    "check": "api",
    "compare": "api",
    "encode_shard": "cluster.encode",
    "fit": "api",
    "load": "model",
    "merge_shards": "cluster.encode",
    "models": "pretrained.catalog",
    "plan": "cluster.plan",
    "rank": "api",
}
__all__ = ["__version__", *_HOME]

if TYPE_CHECKING:
    from headstart.answering.answerer import Answer as Answer
    from headstart.api import check as check
    from headstart.api import compare as compare
    from headstart.api import fit as fit
    from headstart.api import rank as rank
    from headstart.cluster.encode import encode_shard as encode_shard
    from headstart.cluster.encode import merge_shards as merge_shards
    from headstart.cluster.plan import plan as plan
    from headstart.errors import UserError as UserError
    from headstart.estimators.answering import HeadstartQA as HeadstartQA
    from headstart.estimators.classifier import HeadstartClassifier as HeadstartClassifier
    from headstart.estimators.encoder import HeadstartEncoder as HeadstartEncoder
    from headstart.estimators.regressor import HeadstartRegressor as HeadstartRegressor
    from headstart.model import Model as Model
    from headstart.model import load as load
    from headstart.pretrained.catalog import models as models
    from headstart.tasks.classification import Prediction as Prediction
    from headstart.values import Columns as Columns


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'headstart' has no attribute {name!r}")
    value = getattr(import_module(f"headstart.{_HOME[name]}"), name)
    globals()[name] = value
    return value
