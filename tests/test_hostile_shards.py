"""Tars and tables that somebody made to do harm: nothing is unpacked, memory is bounded, and it is said in a line."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import headstart as hs
from headstart.data.shards.tar_members import BadHeader, Members
from headstart.errors import DataError
from tars import files_in, hub_table, samples, tar

HUGE = 2**63 - 1


@pytest.fixture
def good(photos) -> list[tuple[str, bytes]]:
    return list(samples(files_in(photos)))


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def with_end(path: Path, end: bytes) -> Path:
    """A tar whose end is something else than it should be."""
    content = path.read_bytes()
    last = len(content.rstrip(b"\0"))
    path.write_bytes(content[: -(-last // 512) * 512] + end)
    return path


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (header("a.jpg", HUGE), "'a.jpg' of 9,223,372,036,854,775,807 bytes, of which 0 are there"),
        (header("a.jpg", 2**40) + b"x" * 512, "of which 512 are there"),
        (header("././@LongLink", HUGE, tarfile.GNUTYPE_LONGNAME), "bytes about one member, more than"),
        (header("././@LongLink", 2**40, tarfile.GNUTYPE_LONGLINK), "bytes about one member, more than"),
        (header("pax", HUGE, tarfile.XHDTYPE), "bytes about one member, more than"),
        (header("pax", 512, tarfile.XHDTYPE) + b"9" * 512, "attributes that are none"),
        (
            header("pax", 512, tarfile.XHDTYPE) + b"17 size=-5000000\n".ljust(512, b"\0") + header("b.jpg", 1),
            "a size of",
        ),
        (header("a.jpg", 3)[:300], "cut off within a header"),
        (b"\xff" * 512, "no header where one should be"),
        (header("a.jpg", -1), "a member of -1 bytes"),
        (b"", "the blocks that end a tar are missing"),
        (bytes(40_960) + header("b.jpg", 3), "there is more behind the zeros that end a tar"),
        (bytes(2**21), "nothing but zeros in the last 2,097,152 bytes"),
    ],
)
def test_what_comes_before_the_damage_is_used(end, said, good, tmp_path):
    path = with_end(tar(tmp_path / "bad.tar", good), end)
    tracemalloc.start()
    found = hs.check(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.dataset) == 40
    damage = next(finding for finding in found.findings if finding.kind == "damaged-shard")
    assert damage.rejected
    assert damage.where.startswith("bad.tar byte ")
    assert said in damage.reason
    assert peak < 300 * 2**20


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_names_of_every_form_are_as_tarfile_has_them(form, tmp_path):
    names = [f"{'d' * 60}/{'e' * 60}/{'n' * 60}.jpg", "é ü.jpg", "a.jpg"]
    names += [] if form == tarfile.USTAR_FORMAT else ["l" * 5000 + ".jpg"]
    path = tar(tmp_path / "t.tar", [(name, name.encode()) for name in names], form)
    with path.open("rb") as file:
        found = list(Members(file, path, path.stat().st_size))
        assert [member.name for member in found] == names
        for member in found:
            file.seek(member.offset)
            assert file.read(member.size).decode() == member.name


def test_links_devices_and_names_that_lead_elsewhere_are_names_only(good, tmp_path, monkeypatch):
    path = tmp_path / "odd.tar"
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(good[0][1])
    with tarfile.open(path, "w") as file:
        for name, content in good:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
        for kind, name in (
            (tarfile.SYMTYPE, "link.jpg"),
            (tarfile.LNKTYPE, "hard.jpg"),
            (tarfile.FIFOTYPE, "pipe.jpg"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, str(secret)
            file.addfile(member)
        for name in ("/etc/evil.jpg", "../../evil.jpg"):
            member = tarfile.TarInfo(name)
            member.size = len(good[0][1])
            file.addfile(member, io.BytesIO(good[0][1]))
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    found = hs.check(path)
    assert "not read: 3 links, devices and files with holes in the tars" in found.notes
    assert len(found.dataset) == 40
    assert sorted(tmp_path.rglob("*")) == before
    assert not os.path.exists("/etc/evil.jpg")


def test_a_file_with_holes_is_none(tmp_path, good):
    sparse = bytearray(header("hole.jpg", 512, tarfile.GNUTYPE_SPARSE))
    sparse[482] = 1  # more of its map follows
    sums = sum(sparse[:148]) + sum(sparse[156:]) + 8 * 32
    sparse[148:156] = b"%06o\0 " % sums
    path = with_end(tar(tmp_path / "s.tar", good), bytes(sparse) + bytes(512) + b"x" * 512 + bytes(1024))
    assert "not read: 1 links, devices and files with holes in the tars" in hs.check(path).notes


def test_control_characters_in_names_reach_no_terminal(good, tmp_path, command):
    named = [(f"\x1b[2J\n{name}", content) for name, content in good]
    named[0] = (named[0][0], b"no photo")
    path = tar(tmp_path / "names.tar", named)
    code, out, err = command("check", path, "--no-model")
    assert code == 0
    assert "\x1b" not in out + err
    assert "\\x1b[2J\\n" in out + err


@pytest.mark.parametrize("ending", [".tar.gz", ".tgz", ".tar"])
def test_compressed_tars_are_refused_with_why(ending, good, tmp_path):
    plain = tar(tmp_path / "plain.tar", good)
    path = tmp_path / f"packed{ending}"
    path.write_bytes(gzip.compress(plain.read_bytes()))
    with pytest.raises(DataError, match=r"a compressed tar, in which nothing can be reached .*\n.*gunzip"):
        hs.check(path)


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"x" * 2000, bytes(1024), b"PK\x03\x04" + bytes(600)])
def test_what_is_no_tar_is_refused(content, tmp_path):
    (tmp_path / "no.tar").write_bytes(content)
    with pytest.raises(DataError, match=r"not a tar|empty|no sample in it"):
        hs.check(tmp_path / "no.tar")


def test_every_cut_of_a_tar_is_read_up_to_there_or_refused(good, tmp_path):
    whole = tar(tmp_path / "whole.tar", good[:8]).read_bytes()
    for length in range(0, len(whole), 997):
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        with (tmp_path / "cut.tar").open("rb") as file:
            members = Members(file, tmp_path / "cut.tar", length)
            try:
                assert all(member.offset + member.size <= length for member in members)
            except (BadHeader, DataError):
                continue


def test_labels_that_are_no_text_and_json_that_is_none_say_nothing(good, tmp_path):
    members = dict(good)
    first, second = [name for name in members if name.endswith(".cls")][:2]
    members[first], members[second] = b"\xff\xfe\x00", b"\0" * 10
    found = hs.check(tar(tmp_path / "t.tar", members.items()))
    assert "2 .cls files of the tars cannot be read, and say nothing" in found.notes
    assert [f.kind for f in found.findings if f.rejected] == ["missing-label"] * 2


def test_a_brace_pattern_of_billions_ends(tmp_path):
    with pytest.raises(DataError, match=r"no file is called so|more than"):
        hs.check(str(tmp_path / "{0..99999}.tar"))


def test_cells_without_bytes_or_of_an_address_are_left_out_and_never_fetched(photos, tmp_path):
    there = files_in(photos)
    cells = hub_table(there).column("image").to_pylist()
    cells[0] = {"bytes": None, "path": None}
    cells[1] = {"bytes": None, "path": "http://127.0.0.1:9/a.jpg"}
    cells[2] = {"bytes": None, "path": "nowhere.jpg"}
    cells[3] = None
    cells[4] = {"bytes": None, "path": str(there[4])}
    table = pa.table({"image": cells, "label": [photo.parent.name for photo in there]})
    pq.write_table(table, tmp_path / "t.parquet")
    pa.feather.write_feather(table, tmp_path / "t.feather", compression="uncompressed")
    for name in ("t.parquet", "t.feather"):
        found = hs.check(tmp_path / name)
        said = [finding.reason for finding in found.findings if finding.rejected]
        assert len(found.dataset) == 36, said
        assert any("an address, from which nothing is fetched" in reason for reason in said)
        assert sum("no image in this row" in reason for reason in said) == 2


CHECKED = """
import json, re, sys
from pathlib import Path
import headstart as hs

try:
    said = hs.check(sys.argv[1], model=None).counts
except hs.UserError as error:
    said = str(error)
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(json.dumps({"said": said, "peak": int(peak) * 1024}))
"""


def bomb(path: Path, values: list[bytes], numbers: list[int | None], *, struct: bool) -> Path:
    """A tiny file of photos that are few values of a dictionary, each of which many rows have."""
    cells = pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32()), pa.array(values, pa.binary()))
    if struct:
        cells = pa.StructArray.from_arrays([cells, pa.nulls(len(cells), pa.string())], ["bytes", "path"])
    table = pa.table({"image": cells, "label": ["ab"[(number or 0) % 2] for number in numbers]})
    options = {"compression": "zstd", "dictionary_pagesize_limit": 2**30, "store_schema": False}
    pq.write_table(table, path, row_group_size=len(cells), **options)
    assert path.stat().st_size < sum(map(len, values)) / 10 + 10_000
    return path


def checked(path: Path, *, room: int) -> dict:
    """What a process of its own says, which may write so many bytes; what it has to write goes with it."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
    done = subprocess.run([sys.executable, "-c", limit + CHECKED, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("struct", [False, True])
def test_a_photo_that_is_repeated_without_cost_takes_no_memory(struct, tmp_path):
    """A dictionary of one large cell: 5 GB if all rows were unpacked, and 4 GB if those of a chunk were held."""
    large = bomb(tmp_path / "bomb.parquet", [b"\xff" * (16 * 2**20)], [0] * 320, struct=struct)
    found = checked(large, room=2**26)
    assert "no usable example" in found["said"]
    assert "not an image" in found["said"]
    assert found["peak"] < 1100 * 2**20


@pytest.mark.parametrize("struct", [False, True])
def test_photos_that_many_rows_have_are_read_all_the_same(struct, photos, tmp_path):
    """Six real ones that are padded, and a row without one; of a group that would unpack to 5 GB."""
    values = [path.read_bytes().ljust(8 * 2**20, b"\0") for path in files_in(photos)[:6]]
    numbers = [*[*range(6)] * 10, None, *[*reversed(range(6))] * 10]
    found = checked(bomb(tmp_path / "photos.parquet", values, numbers, struct=struct), room=2**26)
    assert found["said"] == {"a": 60, "b": 60}
    assert found["peak"] < 1100 * 2**20


def test_damaged_arrow_files_are_said(photos, tmp_path):
    table = hub_table(files_in(photos))
    pa.feather.write_feather(table, tmp_path / "t.feather", compression="uncompressed")
    content = (tmp_path / "t.feather").read_bytes()
    for length in (0, 5, 100, len(content) // 2, len(content) - 10):
        (tmp_path / "t.feather").write_bytes(content[:length])
        with pytest.raises(DataError, match="cannot be read"):
            hs.check(tmp_path / "t.feather")


def test_nested_structs_are_no_photos(tmp_path):
    cells = [{"bytes": {"bytes": b"x"}, "path": "a"}] * 4
    pq.write_table(pa.table({"image": cells, "label": ["a", "b"] * 2}), tmp_path / "t.parquet")
    with pytest.raises(DataError):
        hs.check(tmp_path / "t.parquet")


def test_a_shard_that_changes_while_it_is_read_is_said(good, tmp_path):
    path = tar(tmp_path / "t.tar", good)
    found = hs.check(path).dataset
    path.write_bytes(path.read_bytes()[:2000])
    from headstart.inputs.image import open_known

    with pytest.raises(DataError, match="no longer to be read: the file that it lies in is shorter than it was"):
        open_known(found.inputs[30], found.digests[30])
