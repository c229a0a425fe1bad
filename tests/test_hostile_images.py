"""Images made to harm: only named formats are opened, nothing large is decoded, what is kept is of the right bytes."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, features

from headstart.data import looks
from headstart.data.check import check
from headstart.encode.encode import encode, encode_views
from headstart.errors import DataError
from headstart.inputs import image
from headstart.inputs.augment import Views, pixels_of
from headstart.inputs.decoders import FORMATS
from headstart.inputs.image import open_image, open_known
from headstart.pretrained.load import load
from hostile import POSTSCRIPT, ghostscript
from reading import read


def saved(kind: str, image: Image.Image | None = None, **how: object) -> bytes:
    file = io.BytesIO()
    (image or Image.new("RGB", (64, 48), (200, 100, 50))).save(file, kind, **how)
    return file.getvalue()


def reason(content: bytes, **how: int) -> str:
    with pytest.raises(DataError) as error:
        open_image("photo.jpg", content=content, **how)
    assert "\n" not in error.value.what
    return error.value.what


def test_no_program_is_started(tmp_path, monkeypatch):
    """With Ghostscript on the path, as Pillow finds it."""
    started = ghostscript(tmp_path / "bin", monkeypatch)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(POSTSCRIPT)
    assert "not an image but PostScript" in reason(POSTSCRIPT)
    datasets = pytest.importorskip("datasets")
    columns = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    rows = datasets.Dataset.from_dict({"image": [str(photo)] * 2, "label": ["a", "b"]}, features=columns)
    with pytest.raises(DataError, match="PostScript"):
        check(read(rows))
    assert not started.exists()
    assert {"EPS", "WMF", "PDF", "FITS", "GRIB", "HDF5", "BUFR", "MPEG"}.isdisjoint(FORMATS)


def test_a_dataset_of_the_hub_has_the_pixels_that_its_library_gives(photos):
    datasets = pytest.importorskip("datasets")
    exif = Image.Exif()
    exif[0x0112] = 6
    files = [str(file) for file in sorted((photos / "global").iterdir())[:3]]
    Image.open(files[0]).save(photos / "turned.jpg", exif=exif)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    given = {"image": [*files, str(photos / "turned.jpg")], "label": ["a", "b", "a", "b"]}
    rows = datasets.Dataset.from_dict(given, features=features)
    for ours, theirs in zip(read(rows).inputs, rows["image"], strict=True):
        assert ours.mode == theirs.mode
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_formats_of_pictures_open():
    made = {"JPEG": {}, "PNG": {}, "GIF": {}, "BMP": {}, "PPM": {}, "WEBP": {}, "TIFF": {}, "DIB": {}, "ICO": {},
            "DDS": {}, "PCX": {}, "SGI": {}, "TGA": {}, "JPEG2000": {}, "ICNS": {}}  # fmt: skip
    for kind, how in made.items():
        assert open_image("any", content=saved(kind, **how)).mode == "RGB", kind
    for kind in ("AVIF", "QOI"):  # newer than the oldest Pillow that is supported
        if kind in Image.SAVE:
            assert open_image("any", content=saved(kind)).size == (64, 48)
    second = Image.new("RGB", (64, 48), "blue")
    phone = open_image("any", content=saved("MPO", save_all=True, append_images=[second]))
    assert phone.getpixel((9, 9))[2] < 100  # the first of its two pictures


def test_what_decoders_raise_is_a_damaged_image(monkeypatch):
    raised = {
        "damaged image: a": RuntimeError("a\nb"),
        "not enough memory": MemoryError(),
        "damaged image: AssertionError": AssertionError(),
        "damaged image: r": RecursionError("\nr"),
    }
    for said, error in raised.items():

        def fail(*_: object, error: BaseException = error) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(PngImagePlugin.PngImageFile, "load_end", fail)
            assert said in reason(saved("PNG"))
    lazy = Image.open(io.BytesIO(saved("PNG")[:90]))  # one that its user has opened
    with pytest.raises(DataError, match="damaged image"):
        open_image(lazy)
    with pytest.raises(DataError, match="damaged image"):
        image.read_bytes(Image.open(io.BytesIO(saved("PNG")[:90])))
    for nothing in (np.zeros((0, 0, 3), np.uint8), Image.new("RGB", (0, 4))):
        with pytest.raises(DataError, match="pixels"):
            open_image(nothing)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


WITH_THREADS = """
import contextlib, pathlib, sys, threading, warnings
from headstart.inputs.image import open_image
from headstart.errors import DataError
heard, said = [], 0
warnings.showwarning = lambda message, *_: heard.append(str(message))
before = list(warnings.filters)
def decode():
    contents, rounds = [pathlib.Path(name).read_bytes() for name in sys.argv[1:]], 0
    while rounds < 100 or said < 100:
        for content in contents:
            with contextlib.suppress(DataError):
                open_image("photo", content=content)
        rounds += 1
threads = [threading.Thread(target=decode) for _ in range(4)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    warnings.warn("ours")
    said += 1
assert list(warnings.filters) == before
assert heard == ["ours"] * said, (len(heard), said, set(heard))
print(said)
"""


def test_warnings_of_other_threads_are_heard_while_images_are_decoded(tmp_path):
    """Pillow's are not: of damaged tags, and of a size that is bounded here."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0"
    (tmp_path / "tags.jpg").write_bytes(saved("JPEG", exif=exif))
    header = struct.pack(">IIBBBBB", 12_000, 9_000, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    names = [str(tmp_path / name) for name in ("tags.jpg", "large.png")]
    with pytest.warns(match="Corrupt EXIF data"):
        Image.open(names[0]).getexif()
    with pytest.warns(match="could be decompression bomb"):
        Image.open(names[1])
    asked = [sys.executable, "-W", "always", "-c", WITH_THREADS, *names]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 100


def png(width: int, height: int) -> bytes:
    packer, row = zlib.compressobj(9), bytes(1 + 3 * width)
    body = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def bombs() -> dict[str, bytes]:
    inner = png(13_000, 13_000)
    progressive = bytearray(saved("JPEG", progressive=True))
    at = progressive.find(b"\xff\xc2")
    progressive[at + 5 : at + 9] = struct.pack(">HH", 13_000, 13_000)
    tile = zlib.compress(bytes(1000))
    tags = [(256, 64), (257, 64), (258, 8), (259, 8), (262, 1), (277, 1), (322, 20_000), (323, 20_000), (324, 8),
            (325, len(tile))]  # fmt: skip
    table = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return {
        "ICO": struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inner), 22) + inner,
        "ICNS": b"icns" + struct.pack(">I", len(inner) + 16) + b"ic07" + struct.pack(">I", len(inner) + 8) + inner,
        "JPEG": bytes(progressive),
        "TIFF": b"II*\0" + struct.pack("<I", 8 + len(tile)) + tile + table + bytes(4),
    }


def test_sizes_that_are_known_late_are_looked_at_first(tmp_path):
    """Each took 400 to 650 MB before it was refused."""
    for name, content in bombs().items():
        (tmp_path / name).write_bytes(content)
    program = (
        "import resource, sys\nfrom headstart.inputs.image import open_image\nfrom headstart.errors import DataError\n"
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\nbefore = most()\n"
        "for name in sys.argv[1:]:\n    try: open_image(name, near=32)\n"
        "    except DataError as error: print(name, error.what)\nprint(most() - before)"
    )
    names = [str(tmp_path / name) for name in bombs()]
    done = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, check=True)
    *said, grown = done.stdout.splitlines()
    assert len(said) == 4
    assert all("pixels in a part, more than " in line for line in said)
    assert int(grown) < 100


def test_decoders_that_would_take_for_ever_are_not_begun():
    assert "too many pieces" in reason(b"\xff\xd8\xff" + bytes(100_000_000))  # gone through byte by byte
    plain = b"P3\n6000 6000\n255\n" + b"1 " * 1000  # a decoder in Python
    assert "6000 x 6000 pixels of PPM, more than 10 million" in reason(plain)
    scans = bytearray(saved("JPEG", Image.new("L", (8, 8)), progressive=True))
    at = scans.find(b"\xff\xc2")
    scans[at + 5 : at + 9] = struct.pack(">HH", 9_000, 9_000)
    last = scans.rfind(b"\xff\xda")
    assert "scans, which is a bomb" in reason(bytes(scans[:-2] + scans[last:-2] * 10_000 + scans[-2:]), near=32)


def test_sizes_that_cost_more_than_their_pixels_are_refused():
    """Rows of one pixel; and blocks of sixteen, which JPEG 2000 may have."""
    header = struct.pack(">IIBBBBB", 1, 200_000, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header
    png += struct.pack(">I", zlib.crc32(b"IHDR" + header)) + struct.pack(">I", 10) + b"IDAT" + bytes(14)
    assert "1 x 200000 pixels, more than 100,000 a side" in reason(png)
    blocks = bytearray(saved("JPEG2000", no_jp2=True))
    at = blocks.find(b"\xff\x51") + 6
    blocks[at : at + 8] = blocks[at + 16 : at + 24] = struct.pack(">II", 5000, 5000)  # of the image, and of its tile
    assert "5000 x 5000 pixels, more than 20 million" in reason(bytes(blocks))


def test_mutated_images():
    draw = random.Random(29)
    photo = Image.effect_mandelbrot((40, 30), (-2, -1, 1, 1), 50).convert("RGB")
    kinds = [kind for kind in FORMATS if kind in Image.SAVE and kind != "MPO"]
    whole = {kind: saved(kind, photo) for kind in kinds}
    for content in whole.values():
        with suppress(DataError):  # some decoders make do with a part
            open_image("any", content=content[: len(content) // 3], near=32)
    for number in range(600):
        content = bytearray(whole[kinds[number % len(kinds)]])
        for _ in range(draw.choice([1, 2, 8])):
            at = draw.randrange(min(len(content), 200))
            content[at : at + draw.randrange(3)] = draw.randbytes(draw.randrange(4))
        with suppress(DataError):
            open_image("any", content=bytes(content), near=32)


def changed(photo) -> bytes:
    before = photo.read_bytes()
    Image.open(io.BytesIO(before)).rotate(90).save(photo)
    return before


def test_a_photo_that_changes_after_the_check_is_never_kept(photos, own_cache):
    dataset = check(read(photos))
    backbone = load("efficientnet_lite0", kind="image")
    row, photo = 3, photos / dataset.where[3]
    before = changed(photo)
    with pytest.raises(DataError, match="changed while it was being read by this run") as error:
        encode(dataset.inputs, dataset.checked_digests, backbone)
    assert str(photo) in str(error.value)
    digest, views = dataset.checked_digests[row], Views(2)
    for number in range(2):
        with pytest.raises(DataError, match="changed"):
            pixels_of(str(photo), backbone.preparation, views, digest=digest, number=number)
    with pytest.raises(DataError, match="changed"):
        encode_views(dataset.inputs[:4], dataset.checked_digests[:4], backbone, views=views)
    photo.unlink()
    with pytest.raises(DataError, match="gone since it was checked"):
        encode(dataset.inputs, dataset.checked_digests, backbone)
    photo.write_bytes(before)
    features = encode(dataset.inputs, dataset.checked_digests, backbone)
    in_memory = Image.open(io.BytesIO(before)).convert("RGB")
    alone = encode([in_memory], np.frombuffer(hashlib.sha256(b"other").digest(), np.uint8)[None], backbone)
    own, again = features.matrix[row : row + 1][0], alone.matrix[:][0]
    assert own @ again / np.linalg.norm(own) / np.linalg.norm(again) > 0.999


@pytest.mark.parametrize("most", [(3, 1 << 27), (256, 1 << 15), (256, 0)])
def test_the_check_looks_at_the_bytes_that_it_hashes(photos, monkeypatch, most):
    """Each file is read once, however few of them may be in memory together."""
    for name in ("CHUNK", "_TASK"):
        monkeypatch.setattr(looks, name, most)
    read_bytes, seen = image.read_bytes, {}

    def reading(source):
        seen[source] = seen.get(source, 0) + 1
        content = read_bytes(source)
        return content if seen[source] == 1 else content + b" "

    monkeypatch.setattr(image, "read_bytes", reading)
    monkeypatch.setattr(looks, "read_bytes", reading)
    found = check(read(photos))
    assert len(found) == len(seen) == 40
    assert set(seen.values()) == {1}
    for source, digest in zip(found.inputs, found.checked_digests, strict=True):
        assert hashlib.sha256(Path(source).read_bytes()).digest() == bytes(digest)


def test_known_bytes_open_as_ever(photos):
    photo = min((photos / "global").iterdir())
    digest = hashlib.sha256(photo.read_bytes()).digest()
    np.testing.assert_array_equal(np.asarray(open_known(photo, digest)), np.asarray(open_image(photo)))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "WebP", "AVIF"])
def test_a_damaged_picture_is_no_other_thing(kind):
    if kind in ("WebP", "AVIF") and not features.check(kind.lower()):
        pytest.skip(f"Pillow without {kind}")
    content = saved(kind)
    assert reason(content[:14]).startswith(f"damaged {kind}: ")
    if kind == "PNG":  # a wrong checksum of the first chunk
        assert reason(content[:30] + bytes([content[30] ^ 1]) + content[31:]).startswith("damaged PNG: ")
