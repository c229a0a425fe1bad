"""Where training starts inside a backbone: a frozen trunk, run once, and a suffix that is trained.

The module is exported to a graph of operators, which is cut at the last value that everything trained comes after and
that all of the features come through. So no architecture has to say how it is cut. Operators
are exported as for inference: batch norms keep their statistics and nothing is dropped out, in the suffix too. The
first step of training then starts exactly from the probe, and frozen means frozen by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

_SIZE = torch.ops.aten.sym_size.int


@dataclass(frozen=True)
class Cut:
    """A backbone in two parts."""

    trunk: nn.Module  # inputs -> (n, ...) float32 activation
    suffix: nn.Module  # activation -> (n, width) features; its parameters are the module's own
    shape: tuple[int, ...]  # of one example's activation
    channels_last: bool  # how the activation lies in memory; operators on it may count on that


def cut(module: nn.Module, example: torch.Tensor, trained: Collection[str]) -> Cut | None:
    """The two parts; None where no one value separates them, or the module cannot be exported.

    Args:
        module: takes images, (n, 3, h, w), in eval mode.
        example: two images, where the module is and as it will get them.
        trained: names of the parameters that are trained.

    Raises:
        RuntimeError: memory ran out.
    """
    try:
        exported = torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim.AUTO},), strict=False)
    except (torch._dynamo.exc.TorchDynamoException, RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        if _out_of_memory(error):
            raise
        return None  # Python that depends on values: such a module is trained whole, as it is
    graph: Any = exported.module()
    for node in list(graph.graph.nodes):
        if node.op == "call_module":  # only checks the inputs' shapes
            graph.graph.erase_node(node)
    (features,) = next(iter(reversed(graph.graph.nodes))).all_input_nodes
    fed = _reaches(graph, lambda node: node.op == "placeholder")
    changing = _reaches(graph, lambda node: node.op == "get_attr" and str(node.target) in trained)
    for at in reversed(list(graph.graph.nodes)):
        if at in fed and at not in changing and at.op != "placeholder" and _all_comes_through(at, features):
            value = at.meta["val"]
            shape = tuple(int(side) for side in value.shape[1:])
            return Cut(_part(graph, None, at), _part(graph, at, features), shape, _channels_last(value))
    return None


def _out_of_memory(error: Exception) -> bool:
    """The processor's allocator has no class of errors of its own; its text differs by system."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in text or "not enough memory" in text


def _channels_last(value: torch.Tensor) -> bool:
    last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
    return last and not value.is_contiguous()


def _reaches(graph: Any, starts: Callable[[fx.Node], bool]) -> set[fx.Node]:
    """Nodes that are, or depend on, one that `starts` picks; sizes depend on nothing."""
    found: set[fx.Node] = set()
    for node in graph.graph.nodes:
        if starts(node) or (node.target is not _SIZE and any(needed in found for needed in node.all_input_nodes)):
            found.add(node)
    return found


def _all_comes_through(at: fx.Node, features: fx.Node) -> bool:
    """Whether the features depend on the input only through `at`."""
    return not any(node.op == "placeholder" for node in _needed(at, features))


def _needed(start: fx.Node | None, end: fx.Node) -> set[fx.Node]:
    """What `end` is computed from, back to `start`; a size needs only the batch, whichever that is."""
    needed, open_ends = set(), [end]
    while open_ends:
        node = open_ends.pop()
        if node not in needed:
            needed.add(node)
            open_ends += [] if node is start or node.target is _SIZE else node.all_input_nodes
    return needed


def _part(graph: Any, start: fx.Node | None, end: fx.Node) -> nn.Module:
    """What computes `end` from `start`, or from the input."""
    needed = _needed(start, end)
    made, copied = fx.Graph(), {}
    entry = made.placeholder("activation")
    for node in graph.graph.nodes:
        if node is start or node.op == "placeholder":
            copied[node] = entry
        elif node.target is _SIZE:
            copied[node] = made.call_function(_SIZE, (entry, 0))
        elif node in needed:
            copied[node] = _copy(made, node, copied)
    made.output(copied[end])
    made.eliminate_dead_code()
    return fx.GraphModule(graph, made)


def _copy(made: fx.Graph, node: fx.Node, copied: dict[fx.Node, fx.Node]) -> fx.Node:
    """An operator that writes into its input is replaced by the one that does not: a stored value stays what it is."""
    new = made.node_copy(node, copied.__getitem__)
    if isinstance(node.target, torch._ops.OpOverload):
        namespace, name = node.target._schema.name.split("::")
        if name.endswith("_") and not name.endswith("__"):
            packet = getattr(getattr(torch.ops, namespace), name.removesuffix("_"))
            new.target = getattr(packet, node.target._overloadname)
    return new
