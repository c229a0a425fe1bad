"""OpenVINO without its telemetry. Import this before OpenVINO.

Its converter reports each use to a statistics server unless the user has opted out, keeps two files in the home folder
for that, and offline its threads hold up the end of the process by a second. headstart reports nothing to anyone.
Where the telemetry package cannot be imported, OpenVINO falls back to a stub of its own; so it cannot be imported.
A program that imported OpenVINO before headstart has made that choice itself.
"""

import sys

if "openvino" not in sys.modules:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
