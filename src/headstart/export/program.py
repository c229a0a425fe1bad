"""predict.py of an exported folder: what `headstart predict` prints, by the runtime of the format, numpy and Pillow.

It is made of what the format, the input and the answer need of it, so that it is no longer than it has to be.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import CONTROL
from headstart.export.deployable import Deployable
from headstart.export.format import Runtime
from headstart.inputs.decoders import FORMATS

NAME = "predict.py"
_PHOTO = ("from PIL import Image, ImageOps",)
_TEXT = ("from tokenizers import Tokenizer",)
_TOKENIZER = """texts = about["texts"]
tokenizer = Tokenizer.from_file(str(here / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(texts["max_length"])
"""


def program(made: Deployable, runtime: Runtime) -> str:
    """The Python of predict.py, which defines `outputs(input)` and prints what they say."""
    facts, photos, values = made.facts, made.takes_photos, made.task.probabilities is None
    imports = {"import numpy as np", *runtime.imports, *(_PHOTO if photos else _TEXT)}
    standard = {
        "import json",
        "import re",
        "import sys",
        "from pathlib import Path",
        *(["import math"] if values else []),
    }
    standard |= {line for line in imports if line.split()[1] in sys.stdlib_module_names}
    return rendered(
        "predict.py.jinja",
        title=made.title,  # and no name that somebody chose: this becomes code
        usage=usage(made),
        packages=", ".join(packages(made, runtime)),
        standard=sorted(standard, key=_in_order),
        imports=sorted(imports - standard, key=_in_order),
        code=(runtime.code if photos else _TOKENIZER + runtime.code).strip(),
        photos=photos,
        read=(runtime.read or "").strip(),
        pair=None if photos else facts["texts"]["pair"],
        output=made.output,
        noun=made.modality.noun,
        formats=" ".join(FORMATS),
        control=CONTROL.pattern,
        values=values,
        exclusive=facts["exclusive"],
        decided=facts["decision"] is not None,
        labels=facts["thresholds"] is not None,
    )


def _in_order(line: str) -> tuple[bool, str]:
    """As imports are sorted: `import` before `from`."""
    return line.startswith("from"), line


def rendered(template: str, **values: Any) -> str:
    """A file of the exported folder, of this template; nothing is escaped, as none is HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("headstart.export")
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    return environment.get_template(template).render(values)


def usage(made: Deployable) -> str:
    """What stands behind `python predict.py`."""
    if made.takes_photos:
        return "photo.jpg ..."
    return '"a text" "another text"' if made.modality.of_two else '"a text" ...'


def packages(made: Deployable, runtime: Runtime) -> list[str]:
    """What predict.py needs to be installed."""
    return ["numpy", *runtime.packages, "pillow" if made.takes_photos else "tokenizers"]


def opened(folder: Path) -> Callable[[Any], np.ndarray]:
    """`outputs` of a folder's predict.py, which opens the model by its own runtime as it does for its user."""
    outputs: Callable[[Any], np.ndarray] = runpy.run_path(str(folder / NAME), run_name="predict")["outputs"]
    return outputs
