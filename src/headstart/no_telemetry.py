"""OpenVINO, ONNX Runtime, the hub's client, MLflow and Ray without their telemetry. Import this before them.

OpenVINO's converter reports each use to a statistics server unless the user has opted out, keeps two files in the home
folder for that, and offline its threads hold up the end of the process by a second. headstart reports nothing to
anyone. Where the telemetry package cannot be imported, OpenVINO falls back to a stub of its own; so it cannot
be imported.

The hub's client names the libraries and the program that use it in each request, and fetches a list of programs for
that, unless HF_HUB_DISABLE_TELEMETRY is set. MLflow reports which of its functions are called, unless
MLFLOW_DISABLE_TELEMETRY is set. ONNX Runtime writes a number for the machine into the home folder when it is imported,
and reports to its makers which models it runs, unless ORT_DISABLE_TELEMETRY is set. A cluster of Ray that is started
reports what it is used for, unless RAY_USAGE_STATS_ENABLED is 0. A program that imported one of them before headstart,
or set its variable, has made that choice itself.
"""

import os
import sys

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

if "openvino" not in sys.modules:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
