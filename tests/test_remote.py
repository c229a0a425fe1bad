"""Data at an address: what was typed is fetched to the cache, bounded and whole; nothing else ever is."""

from __future__ import annotations

import functools
import http.server
import json
import sys
import threading
from pathlib import Path

import fsspec
import pytest

import headstart as hs
from headstart.data.files import remote
from headstart.errors import DataError, OutputError
from tars import files_in, hub, samples, shards, tar

TWENTY = {"global": 20, "nominal": 20}


@pytest.fixture
def bucket(photos, tmp_path, own_cache):
    """A bucket in memory, with the photos in every form."""
    there = files_in(photos)
    shards(tmp_path / "all" / "wds", there, "train-000.tar", "train-001.tar")
    hub(tmp_path / "all" / "hub" / "data", there, "train-00000-of-00002.parquet", "train-00001-of-00002.parquet")
    tar(tmp_path / "all" / "one.tar", samples(there))
    system = fsspec.filesystem("memory")
    for photo in there:
        system.pipe(f"/bucket/photos/{photo.parent.name}/{photo.name}", photo.read_bytes())
    for file in filter(Path.is_file, (tmp_path / "all").rglob("*")):
        system.pipe(f"/bucket/{file.relative_to(tmp_path / 'all')}", file.read_bytes())
    yield system
    system.rm("/bucket", recursive=True)


@pytest.mark.parametrize(
    ("address", "counts"),
    [
        ("memory://bucket/photos", TWENTY),
        ("memory://bucket/wds", TWENTY),
        ("memory://bucket/hub", TWENTY),
        ("memory://bucket/one.tar", {"0": 20, "1": 20}),
        ("memory://bucket/wds/train-{000..001}.tar", {"0": 20, "1": 20}),
        ("memory://bucket/hub/data/train-*.parquet", TWENTY),
    ],
)
def test_what_is_at_an_address_is_as_what_is_here(address, counts, bucket, photos):
    found = hs.check(address)
    assert found.counts == counts
    here = hs.check(photos)
    mine, theirs = ({each.dataset.digests[row].tobytes() for row in each.parts.test} for each in (found, here))
    assert mine == theirs


def test_it_is_fetched_once_as_long_as_it_does_not_change(bucket, own_cache, capsys):
    hs.check("memory://bucket/one.tar")
    (kept,) = (own_cache / "remote").rglob("*.tar")
    before = kept.stat().st_mtime_ns
    hs.check("memory://bucket/one.tar")
    assert kept.stat().st_mtime_ns == before
    bucket.pipe("/bucket/one.tar", tarred(bucket.cat("/bucket/one.tar")))
    hs.check("memory://bucket/one.tar")
    assert len(list((own_cache / "remote").rglob("*.tar"))) == 2


def tarred(content: bytes) -> bytes:
    return content + bytes(512)


def test_over_http(bucket, tmp_path, own_cache, capfd):
    """An address may have a name, a password and a token in it, which nobody is shown."""
    pytest.importorskip("aiohttp")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    served = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "all"))
    )
    threading.Thread(target=served.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{served.server_port}"
        assert hs.check(f"{address}/one.tar").counts == {"0": 20, "1": 20}
        assert len(hs.check(f"{address}/wds/train-{{000..001}}.tar").dataset) == 40
        with pytest.raises(DataError, match="nothing is there"):
            hs.check(f"{address}/two.tar")
        secret = f"http://alice:S3CRET@127.0.0.1:{served.server_port}"
        assert hs.check(f"{secret}/one.tar?token=T0P").counts == {"0": 20, "1": 20}
        with pytest.raises(DataError, match="nothing is there") as refused:
            hs.check(f"{secret}/two.tar?token=T0P")
        shown = f"{refused.value} {capfd.readouterr()} {[*map(str, own_cache.rglob('*'))]}"
        assert "S3CRET" not in shown
        assert "T0P" not in shown
    finally:
        served.shutdown()
        served.server_close()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("memory://bucket/nowhere", "nothing is there"),
        ("foo://bucket/one.tar", "an address of 'foo', which fsspec does not know"),
        ("memory://bucket/wds/test-*.tar", "no file is called so"),
        ("tar://x::memory://bucket/one.tar", "an address within an address"),
    ],
)
def test_what_cannot_be_fetched_is_said(address, said, bucket):
    with pytest.raises(DataError, match=said):
        hs.check(address)


def test_without_the_extra_it_is_refused_with_the_command_that_would_do(monkeypatch, own_cache):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(DataError, match=r"(?s)an address of s3.*pip install 'headstart\[remote\]' s3fs"):
        hs.check("s3://bucket/train.tar")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(DataError, match=r"(?s)fsspec is not installed\npip install 'headstart\[remote\]'"):
        hs.check("s3://bucket/train.tar")


def test_a_file_that_is_longer_or_shorter_than_was_said_is_not_taken(bucket, own_cache, monkeypatch):
    real = type(bucket).info
    for size, said in ((100, "more than 100 bytes"), (2**30, "bytes came, of")):
        monkeypatch.setattr(type(bucket), "info", lambda self, path, size=size, **_: {**real(self, path), "size": size})
        with pytest.raises(DataError, match=said):
            hs.check("memory://bucket/one.tar")
        assert not list((own_cache / "remote").rglob("*.tar"))


def test_more_than_the_disk_has_room_for_is_refused_before_it_is_fetched(bucket, own_cache, monkeypatch):
    real = type(bucket).info
    monkeypatch.setattr(type(bucket), "info", lambda self, path, **_: {**real(self, path), "size": 2**60})
    with pytest.raises(OutputError, match=r"no space: what is at memory://bucket/one\.tar needs about"):
        hs.check("memory://bucket/one.tar")


@pytest.mark.parametrize("name", ["../../evil.jpg", "a/../../evil.jpg", "a\\evil.jpg", "nul\0.jpg"])
def test_names_that_lead_out_of_the_folder_are_refused(name):
    with pytest.raises(DataError, match="a file's name that is no name"):
        remote._remote({"size": 1}, f"/bucket/{name}", name)


def test_a_table_that_names_addresses_fetches_none(bucket, tmp_path, photos):
    rows = [f"memory://bucket/photos/{p.parent.name}/{p.name},{p.parent.name}" for p in files_in(photos)]
    (tmp_path / "t.csv").write_text("image,label\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match="an address, from which nothing is fetched"):
        hs.check(tmp_path / "t.csv")


def test_the_cache_shows_what_was_fetched_and_prunes_it_where_nobody_reads_it(bucket, own_cache, command):
    (own_cache / "remote" / ("0" * 24)).mkdir(parents=True)
    (own_cache / "remote" / ("0" * 24) / "mine.txt").write_text("of another tool")
    hs.check("memory://bucket/photos")
    hs.check("memory://bucket/one.tar")
    code, out, err = command("cache", "--json")
    assert code == 0, err
    found = json.loads(out)["fetched"]
    assert [one["about"] for one in sorted(found, key=lambda one: one["about"])] == [
        "fetched from memory://bucket/one.tar",
        "fetched from memory://bucket/photos",
    ]
    assert sum(one["bytes"] for one in found) > 100_000
    assert all(one["in_use"] for one in found)  # by this process, that has only just read them
    code, out, err = command("cache", "--prune", "0", "--json")
    assert code == 0, err
    assert len(json.loads(out)["fetched"]) == 2
    for mark in own_cache.glob("remote/*/*.use"):  # as at the end of this process
        mark.unlink()
    code, out, err = command("cache", "--prune", "0")
    assert code == 0, err
    assert "removed: fetched from memory://bucket/photos" in out
    assert sorted(path.name for path in (own_cache / "remote").iterdir()) == ["0" * 24]
    assert hs.check("memory://bucket/one.tar").counts == {"0": 20, "1": 20}  # fetched again


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:secret@example.org/a.tar?key=secret#secret", "https://example.org/a.tar"),
        ("s3://bucket/photos", "s3://bucket/photos"),
    ],
)
def test_what_an_address_may_hold_of_secrets_is_not_kept(address, shown):
    assert remote.without_secrets(address) == shown
