"""States of training that another machine keeps in a folder which both see, this one some seconds later."""

from __future__ import annotations

from threading import Timer

import torch

from headstart.adapt.checkpoint import Checkpoint


def test_a_state_that_is_seen_late_is_waited_for(tmp_path):
    checkpoint = Checkpoint(tmp_path)
    checkpoint.keep("main", 7, {"done": torch.tensor(7)})
    late = tmp_path / "main@00000009.safetensors"
    late.write_bytes(b"half of it")
    timer = Timer(0.3, checkpoint.keep, ("main", 9, {"done": torch.tensor(9)}))
    timer.start()
    state = checkpoint.arrived("main", 9, patience=600)
    timer.join()
    assert state is not None
    assert int(state["done"]) == 9
    before = checkpoint.arrived("main", 7, patience=0)  # the others have seen no later one
    assert before is not None
    assert int(before["done"]) == 7


def test_one_that_does_not_come_is_given_up(tmp_path):
    assert Checkpoint(tmp_path).arrived("main", 9, patience=0.2) is None
