"""Photos as cameras, phones and instruments write them: what has more in its file than one 8-bit picture."""

from __future__ import annotations

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

import headstart as hs
from headstart.errors import DataError
from headstart.inputs.image import open_image

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
RAMP = np.linspace(0, 1, 48 * 64).reshape(48, 64)


def saved(kind: str, picture: Image.Image = PICTURE, **how: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(open_image("any", content=content))


def reason(content: bytes) -> str:
    with pytest.raises(DataError) as error:
        open_image("photo", content=content)
    return error.value.what


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("after", [False, True])
def test_a_png_with_megabytes_beside_its_picture_is_read(zipped, after):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("workflow", "x" * 3_000_000, zip=zipped)
    texts.add_itxt("prompt", "ä" * 2_000_000, zip=zipped)
    for number in range(80):
        texts.add_text(f"note {number}", "x" * 900_000, zip=True)
    content = saved("PNG", pnginfo=texts)
    if after:  # texts behind the picture are read when it is decoded
        start, end = content.index(b"IDAT") - 4, content.index(b"IEND") - 4
        head = 8 + 25  # signature and IHDR
        content = content[:head] + content[start:end] + content[head:start] + content[end:]
    np.testing.assert_array_equal(pixels(content), np.asarray(PICTURE))
    np.testing.assert_array_equal(pixels(saved("PNG", icc_profile=bytes(3_000_000))), np.asarray(PICTURE))


def test_a_damaged_png_with_much_beside_its_picture_is_damaged():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("workflow", "x" * 3_000_000, zip=True)
    content = saved("PNG", pnginfo=texts)
    assert "damaged image" in reason(content[: len(content) // 2])
    assert reason(content[:60])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((RAMP * 4095).astype(np.uint16), "TIFF"),
        ((RAMP * 4095).astype(np.uint16), "PNG"),
        ((RAMP * 65535).astype(np.uint16), "PNG"),
        ((RAMP * 65535).astype(np.uint16), "TIFF"),
        (RAMP.astype(np.float32), "TIFF"),
        ((RAMP * 255).astype(np.float32), "TIFF"),
        ((RAMP * 4095).astype(np.float32), "TIFF"),
        ((RAMP * 2 - 1).astype(np.float32), "TIFF"),
        ((RAMP * 3000 - 1000).astype(np.int32), "TIFF"),
        ((RAMP * 1e7).astype(np.int32), "TIFF"),
    ],
)
def test_light_of_more_than_eight_bits_goes_by_its_own_range(values, kind):
    np.testing.assert_allclose(pixels(saved(kind, Image.fromarray(values)))[:, :, 0], RAMP * 255, atol=1)


def with_tags(values: np.ndarray, **tags: object) -> bytes:
    known = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        known[int(tag.removeprefix("tag"))] = value
    return saved("TIFF", Image.fromarray(values), tiffinfo=known)


def with_sbit(values: np.ndarray, bits: int) -> bytes:
    content = saved("PNG", Image.fromarray(values))
    chunk = b"sBIT" + bytes([bits])
    return content[:33] + struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[33:]


def in_twelve_bits(values: np.ndarray) -> bytes:
    """A TIFF that packs two values into three bytes, as some cameras write it; Pillow writes none."""
    first, second = values.reshape(-1, 2).astype(int).T
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1).astype(np.uint8).tobytes()
    height, width = values.shape
    tags = {256: width, 257: height, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: len(packed)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHI", b"II", 42, 8 + len(packed)) + packed + struct.pack("<H", len(tags)) + entries + bytes(4)


OME = '<OME><Image><Pixels Type="uint16" SignificantBits="{}"/></Image></OME>'


@pytest.mark.parametrize(
    ("write", "largest"),
    [
        (lambda values: with_tags(values, tag281=4095), 4095),
        (lambda values: with_tags(values, tag281=16383), 16383),
        (lambda values: with_tags(values, tag341=65535), 65535),
        (lambda values: with_tags(values, tag270=OME.format(12)), 4095),
        (lambda values: with_tags(values, tag270=OME.format(14)), 16383),
        (in_twelve_bits, 4095),
        (lambda values: with_sbit(values, 12), 65535),
    ],
)
def test_pictures_of_one_camera_are_scaled_alike_where_their_files_say_its_range(write, largest):
    for most in (200, 3900, largest):  # a dark picture is dark
        values = (RAMP * most).astype(np.uint16)
        np.testing.assert_allclose(pixels(write(values))[:, :, 0], values * (255 / largest), atol=1)


@pytest.mark.parametrize("tags", [{"tag281": 3980}, {"tag270": OME.format(16)}, {"tag270": 'SignificantBits="99999"'}])
def test_the_largest_value_of_one_picture_is_no_range_of_its_camera(tags):
    values = (RAMP * 3980).astype(np.uint16)
    np.testing.assert_array_equal(pixels(with_tags(values, **tags)), pixels(with_tags(values)))
    over = (RAMP * 60000).astype(np.uint16)  # and one that does not hold is none
    np.testing.assert_array_equal(pixels(with_tags(over, tag281=4095)), pixels(with_tags(over)))


def test_what_is_no_number_is_left_out_of_the_range():
    values = RAMP.astype(np.float32)
    values[5, 5], values[6, 6] = np.nan, np.inf
    seen = pixels(saved("TIFF", Image.fromarray(values)))[:, :, 0]
    assert (seen[5, 5], seen[6, 6], seen[-1, -1]) == (0, 255, 255)
    assert "no pixel of it is a number" in reason(saved("TIFF", Image.fromarray(values * np.nan)))


def test_pages_of_a_tiff_are_said_and_reduced_copies_are_not_pages():
    other = Image.new("RGB", (64, 48), "blue")
    assert reason(saved("TIFF", save_all=True, append_images=[other] * 2)).startswith("a TIFF of 3 pages")
    small = PICTURE.resize((16, 12))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    content = saved("TIFF", save_all=True, append_images=[small])
    np.testing.assert_array_equal(pixels(content), np.asarray(PICTURE))


def test_a_photo_of_a_phone_is_its_first_picture():
    depth = Image.new("L", (32, 24), 200)
    seen = pixels(saved("MPO", save_all=True, append_images=[depth.convert("RGB")], quality=95))
    np.testing.assert_allclose(seen.mean((0, 1)), np.asarray(PICTURE).mean((0, 1)), atol=6)


def test_damaged_avif_is_left_out(tmp_path):
    if "AVIF" not in Image.SAVE:
        pytest.skip("this Pillow has no AVIF")
    for name in ("owl", "kite"):
        (tmp_path / name).mkdir()
        for number in range(20):
            noise = np.random.default_rng([number, len(name)]).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / name / f"{number}.png")
    good = saved("AVIF")
    for number in range(30):
        bad = bytearray(good)
        bad[13 * number % len(bad)] ^= 0x5A
        (tmp_path / "owl" / f"bad{number}.avif").write_bytes(bad)
    checked = hs.check(tmp_path).dataset
    rejected = [finding for finding in checked.findings if finding.rejected]
    assert rejected
    assert len(rejected) + len(checked) == 70
    assert all("bad" in finding.where for finding in rejected)
    assert not any("HEIC" in finding.reason for finding in rejected)


def test_a_heic_photo_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for brand in (b"heic", b"mif1", b"hevc"):
        content = b"\0\0\0\x18ftyp" + brand + bytes(4) + b"mif1heic" + bytes(40)
        assert "pip install 'headstart[heif]'" in reason(content)
    assert "HEIC" not in reason(b"\0\0\0\x18ftypisom" + bytes(4) + b"mp41isom" + bytes(40))


def test_a_heic_photo_is_read_upright_where_pillow_heif_is_there():
    heif = pytest.importorskip("pillow_heif")
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    smooth = PICTURE.resize((300, 200))
    heif.from_pillow(smooth).save(file, quality=90, exif=exif.tobytes())
    seen = open_image("any", content=file.getvalue())
    assert seen.size == (200, 300)
    assert "HEIF" not in Image.OPEN  # Pillow is as its user has it
    np.testing.assert_allclose(np.asarray(seen).mean((0, 1)), np.asarray(smooth).mean((0, 1)), atol=6)
    damaged = bytearray(file.getvalue())
    damaged[40:400] = bytes(360)
    assert reason(bytes(damaged))


@pytest.mark.parametrize("told", [False, True])
def test_by_which_range_pictures_of_many_bits_were_read_is_said(told, tmp_path):
    for name in ("owl", "kite"):
        (tmp_path / name).mkdir()
        for number in range(6):
            noise = np.random.default_rng([number, len(name)]).random((48, 64))
            values = (noise * (60000 if number == 0 and not told else 4000)).astype(np.uint16)
            tags = {"tag281": 4095} if told else {}
            (tmp_path / name / f"{number}.tif").write_bytes(with_tags(values, **tags))
    notes = "\n".join(hs.check(tmp_path).notes)
    assert ("read by the first that holds each: 10 by 0 to 4095, 2 by 0 to 65535" in notes) is not told
    assert ("more than 8 bits" in notes) is not told


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("images/IMG_{n}.PNG", "images/IMG_0.PNG, but img_0.png is there"),
        ("images/img_{n}.jpg", "images/img_0.jpg, but img_0.png is there"),
        ("/home/of/another/{n}.png", "No such file or directory: /home/of/another/0.png"),
        ("https://example.org/photos/{n}.png", "an address, from which nothing is fetched: https:/example.org"),
    ],
)
@pytest.mark.parametrize("given", [".", "labels.csv"])
def test_photos_that_are_not_there_are_said_with_their_path(tmp_path, named, said, given):
    (tmp_path / "images").mkdir()
    for number in range(12):
        Image.effect_noise((24, 24), 40 + number).save(tmp_path / "images" / f"img_{number}.png")
    rows = [f"{named.format(n=number)},{'ab'[number % 2]}" for number in range(12)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,label", *rows]))
    with pytest.raises(DataError) as error:
        hs.check(tmp_path / given)
    assert said in str(error.value)
    assert 'image_root="..."' in str(error.value)


def test_photos_without_a_row_are_counted(tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(20):
        Image.effect_noise((24, 24), 40 + number).save(tmp_path / "images" / f"{number}.png")
    rows = [f"{number}.png,{'ab'[number % 2]}" for number in range(12)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,label", *rows]))
    notes = hs.check(tmp_path).notes
    assert "8 photos that no labelled row names are not read: images (8)" in notes
    for number in range(12, 20):
        (tmp_path / "images" / f"{number}.png").unlink()
    assert not any("no labelled row" in note for note in hs.check(tmp_path).notes)
