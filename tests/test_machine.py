"""What is used of the machine is what was asked for."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

import headstart as hs
from headstart.encode import graphs
from headstart.encode.engines import device
from headstart.encode.machine import cores, using


def test_all_cores_that_the_process_may_use():
    assert cores() == len(os.sched_getaffinity(0))


def test_so_many_threads_within_the_block_and_as_before_after_it():
    before, outside = torch.get_num_threads(), cores()
    with using(None, outside + 1):
        assert cores() == torch.get_num_threads() == outside + 1
    np.ones((2, 2)) @ np.ones((2, 2))
    with using(None, 1):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert (cores(), torch.get_num_threads()) == (outside, before)


def test_a_device_is_asked_for_before_the_variable(monkeypatch):
    monkeypatch.setenv("HEADSTART_DEVICE", "cuda")
    with using("cpu", None):
        assert device() == "cpu"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--device", "tpu"), "no such device: 'tpu'"),
        (("--device", "mps"), "no such device here: mps"),
        (("--threads", "0"), "--threads"),
    ],
)
def test_what_is_not_there_is_refused_before_any_work(options, said, photos, command, tmp_path):
    code, out, err = command("fit", photos, "--out", tmp_path / "out", *options)
    assert (code, out) == (2, "")
    assert said in err
    assert "read  " not in err
    assert not (tmp_path / "out").exists()


def test_a_fit_computes_with_so_many_threads(photos, own_cache, monkeypatch):
    asked, compiled = [], graphs.compiled

    def compiling(backbone, precision, n, **more):
        asked.append(n)
        return compiled(backbone, precision, n, **more)

    monkeypatch.setattr(graphs, "compiled", compiling)
    files = sorted(photos.rglob("*.jpg"))
    hs.fit(files, [file.parent.name for file in files], how="probe", threads=3, model="efficientnet_lite0")
    assert set(asked) == {3}
    with pytest.raises(hs.UserError, match=r"device: no such device: 'tpu'"):
        hs.fit(files, [file.parent.name for file in files], device="tpu")
