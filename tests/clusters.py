"""A Ray cluster of several nodes on this machine, for tests and benches; its workers and nodes can be killed."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_STORE = 100 * 2**20  # bytes of shared memory of a node
_TRIES = 3
_AGENTS = ("metrics_agent_port", "dashboard_agent_listen_port", "runtime_env_agent_port")


class Nodes:
    """A cluster whose head has no processor cores: nothing is computed there, so any other node can go."""

    def __init__(self, cores: list[int]) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster()
        self._add(num_cpus=0, include_dashboard=False)
        self.nodes = [self.add(count) for count in cores]

    @property
    def address(self) -> str:
        return self._cluster.address

    def add(self, cores: int = 1, **environment: str) -> Any:
        return self._add(num_cpus=cores, env_vars=environment or None)

    def _add(self, **options: Any) -> Any:
        """On a busy machine Ray gives up on its own processes after half a minute."""
        for _ in range(_TRIES):
            with suppress(Exception):
                return self._cluster.add_node(object_store_memory=_STORE, **options, **_ports())
        return self._cluster.add_node(object_store_memory=_STORE, **options, **_ports())

    def remove(self, node: Any) -> None:
        """As a machine goes that loses its power."""
        self._cluster.remove_node(node, allow_graceful=False)
        if node in self.nodes:
            self.nodes.remove(node)

    def workers(self, called: str = "Worker") -> list[int]:
        """The processes of headstart's actors that encode; or those that do something else, as Ray calls them."""
        raylets = {node.all_processes["raylet"][0].process.pid for node in self.nodes}
        return [
            pid for pid, parent, command in processes() if parent in raylets and command.startswith(f"ray::{called}")
        ]

    def pids(self) -> set[int]:
        """All of the cluster's own processes."""
        nodes = self._cluster.list_all_nodes()
        return {one.process.pid for node in nodes for some in node.all_processes.values() for one in some}

    def shutdown(self) -> None:
        self._cluster.shutdown()


@contextmanager
def cluster(*cores: int) -> Iterator[Nodes]:
    """Nodes with so many cores each; within the block RAY_ADDRESS says where."""
    here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])  # for what tests pickle
    around = {
        "PYTHONPATH": here,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0" * 64,
        "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    before = {name: os.environ.get(name) for name in (*around, "RAY_ADDRESS")}
    os.environ.update(around)
    nodes = Nodes(list(cores))
    os.environ["RAY_ADDRESS"] = nodes.address
    try:
        yield nodes
    finally:
        nodes.shutdown()
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def processes() -> Iterator[tuple[int, int, str]]:
    """Of all processes here the number, the parent's, and how they were called."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            yield int(folder.name), int((folder / "stat").read_text().rpartition(")")[2].split()[1]), command


def _ports() -> dict[str, int]:
    """For agents that nobody asks; where Ray looks for free ones itself, a busy machine is too slow for it."""
    found = {}
    with suppress(OSError):
        sockets = [socket.socket() for _ in _AGENTS]
        for name, one in zip(_AGENTS, sockets, strict=True):
            one.bind(("", 0))
            found[name] = one.getsockname()[1]
        for one in sockets:
            one.close()
    return found
