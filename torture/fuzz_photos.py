"""Small photos in every format that Pillow writes, and a few that it only reads, to start from."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageCms

Seed = dict[str, bytes]  # a file by its name


def _picture(mode: str, size: tuple[int, int] = (48, 40), seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 255, (5, 6, 4), np.uint8)
    image = Image.fromarray(rough, "RGBA").resize(size, Image.Resampling.BICUBIC)
    if mode == "RGBA":
        return image
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "P":
        return image.convert("RGB").quantize(16)
    if mode == "LA":
        return image.convert("LA")
    return image.convert("RGB").convert(mode)


def _saved(form: str, image: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    return exif


def _frames(mode: str) -> dict[str, Any]:
    return {"save_all": True, "append_images": [_picture(mode, seed=1), _picture(mode, seed=2)]}


def _icc() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _jpeg() -> Iterator[bytes]:
    rgb = _picture("RGB")
    yield _saved("JPEG", rgb)
    yield _saved("JPEG", rgb, progressive=True, quality=90, subsampling=0)
    yield _saved("JPEG", _picture("L"), optimize=True)
    yield _saved("JPEG", _picture("CMYK"))
    yield _saved("JPEG", rgb, exif=_exif(), comment=b"hello", dpi=(72, 72))
    yield _saved("JPEG", rgb, icc_profile=_icc()[:600], restart_marker_blocks=2)
    yield _saved("JPEG", _picture("RGB", (200, 160)), progressive=True, exif=_exif(), xmp=b"<x:xmpmeta/>")
    yield _saved("JPEG", _picture("CMYK"), progressive=True, qtables="web_low")


def _png() -> Iterator[bytes]:
    for mode in ("RGB", "RGBA", "L", "LA", "1", "I;16"):
        yield _saved("PNG", _picture(mode))
    yield _saved("PNG", _picture("P"), transparency=3)
    yield _saved("PNG", _picture("P"), transparency=bytes(range(16)), bits=4)
    yield _saved("PNG", _picture("RGB"), exif=_exif(), icc_profile=_icc()[:600], dpi=(300, 300))
    yield _saved("PNG", _picture("L"), transparency=10)
    yield _interlaced()


def _interlaced() -> bytes:
    """By hand: Pillow reads such files and writes none. Eight by eight grey pixels in Adam7's seven passes."""
    rows = [b"\0" + bytes(range(n)) for n, times in _ADAM7 for _ in range(times)]
    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1)
    text = b"Comment\0\0" + zlib.compress(b"words " * 20)
    chunks = [(b"IHDR", head), (b"zTXt", text), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    made = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + made


_ADAM7 = ((1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4))  # pixels of a row, rows of the pass


def _gif() -> Iterator[bytes]:
    yield _saved("GIF", _picture("P"))
    yield _saved("GIF", _picture("L"), interlace=0, comment=b"hello")
    yield _saved("GIF", _picture("P"), transparency=2)


def _bmp() -> Iterator[bytes]:
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield _saved("BMP", _picture(mode))
    yield _saved("DIB", _picture("RGB"))
    head = struct.pack("<IiiHHIIiiII", 40, 8, 4, 1, 8, 1, 26, 0, 0, 4, 0)  # run lengths, which Pillow does not write
    body = bytes((8, 1, 0, 0, 4, 2, 4, 3, 0, 0, 0, 4, 1, 2, 3, 0, 4, 1, 0, 0, 8, 2, 0, 0, 0, 1))
    offset = 14 + 40 + 16
    yield b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + head + bytes(range(16)) + body


def _tiff() -> Iterator[bytes]:
    for way in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"):
        yield _saved("TIFF", _picture("RGB"), compression=way)
    for way in ("group3", "group4", "tiff_ccitt"):
        yield _saved("TIFF", _picture("1"), compression=way)
    for mode in ("L", "RGBA", "CMYK", "I;16", "F", "P", "LAB", "YCbCr", "I", "LA"):
        yield _saved("TIFF", _picture(mode), tiffinfo={270: "described", 274: 3})
    yield _saved("TIFF", _picture("RGB"), big_tiff=True)
    yield _saved("TIFF", _picture("RGB"), compression="tiff_lzw", exif=_exif(), icc_profile=_icc()[:600])


def _webp() -> Iterator[bytes]:
    yield _saved("WEBP", _picture("RGB"))
    yield _saved("WEBP", _picture("RGBA"), lossless=True)
    yield _saved("WEBP", _picture("RGB"), exif=_exif(), icc_profile=_icc()[:600], xmp=b"<x/>")


def _avif() -> Iterator[bytes]:
    yield _saved("AVIF", _picture("RGB"), speed=10)
    yield _saved("AVIF", _picture("RGBA"), speed=10, quality=30)
    yield _saved("AVIF", _picture("RGB"), speed=10, exif=_exif(), icc_profile=_icc()[:600], subsampling="4:4:4")


def _ppm() -> Iterator[bytes]:
    for mode in ("1", "L", "RGB", "I;16", "F"):
        yield _saved("PPM", _picture(mode))
    yield b"P3\n# words\n4 3\n255\n" + b" ".join(str(i * 7).encode() for i in range(36)) + b"\n"
    yield b"P2 4 3 65535 " + b" ".join(str(i * 5000).encode() for i in range(12))
    yield b"P1 4 3 1 0 1 0 1 0 1 0 1 0 1 0"
    yield b"Pf 4 3 -1.0\n" + struct.pack("<12f", *range(12))


def _animations() -> Iterator[bytes]:
    """Of several frames: no photos."""
    yield _saved("PNG", _picture("RGB"), **_frames("RGB"), duration=100)
    yield _saved("GIF", _picture("P"), **_frames("P"), loop=0, duration=50, disposal=2)
    yield _saved("TIFF", _picture("L"), **_frames("L"))
    yield _saved("WEBP", _picture("RGB"), **_frames("RGB"))
    yield _saved("AVIF", _picture("RGB"), speed=10, **_frames("RGB"))


def _mpo() -> Iterator[bytes]:
    yield _saved("MPO", _picture("RGB"), **_frames("RGB"))
    yield _saved("MPO", _picture("L"), save_all=True, append_images=[_picture("L", seed=1)], exif=_exif())


def _jpeg2000() -> Iterator[bytes]:
    for mode in ("RGB", "L", "RGBA", "LA", "I;16"):
        yield _saved("JPEG2000", _picture(mode))
    yield _saved("JPEG2000", _picture("RGB"), no_jp2=True, tile_size=(32, 32), num_resolutions=3)
    yield _saved("JPEG2000", _picture("RGB"), irreversible=True, quality_layers=[20, 5], mct=1)


def _ico() -> Iterator[bytes]:
    yield _saved("ICO", _picture("RGBA", (48, 48)), sizes=[(16, 16), (48, 48)])
    yield _saved("ICO", _picture("RGBA", (32, 32)), sizes=[(32, 32)], bitmap_format="bmp")
    cursor = bytearray(_saved("ICO", _picture("RGBA", (16, 16)), sizes=[(16, 16)], bitmap_format="bmp"))
    cursor[2] = 2
    yield bytes(cursor)


def _tga() -> Iterator[bytes]:
    for mode in ("RGB", "RGBA", "L", "P", "LA", "1"):
        yield _saved("TGA", _picture(mode))
    yield _saved("TGA", _picture("RGB"), compression="tga_rle", orientation=1)


def _small() -> Iterator[bytes]:
    """Formats with a header of a few bytes and pixels behind it."""
    for form, modes in (("PCX", ("1", "L", "P", "RGB")), ("SGI", ("L", "RGB", "RGBA")), ("QOI", ("RGB", "RGBA"))):
        for mode in modes:
            yield _saved(form, _picture(mode))
    for form, mode in (("IM", "RGB"), ("IM", "P"), ("MSP", "1"), ("SPIDER", "F"), ("XBM", "1"), ("BLP", "P")):
        yield _saved(form, _picture(mode))
    yield _saved("BLP", _picture("P"), blp_version="BLP1")
    icon = _saved("PNG", _picture("RGBA", (16, 16)))
    yield b"icns" + struct.pack(">I", 16 + len(icon)) + b"icp4" + struct.pack(">I", 8 + len(icon)) + icon


def _dds() -> Iterator[bytes]:
    for mode in ("RGB", "RGBA", "L", "LA"):
        yield _saved("DDS", _picture(mode))
    for form in ("DXT1", "DXT3", "DXT5", "BC2", "BC3"):
        yield _saved("DDS", _picture("RGBA"), pixel_format=form)
    yield _saved("DDS", _picture("RGB"), pixel_format="BC5")


def _foreign() -> Iterator[bytes]:
    """What Pillow opens and no camera writes; by hand."""
    psd = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 4, 4, 8, 3) + bytes(4) + bytes(4) + bytes(4) + bytes(2)
    yield psd + bytes(range(48))
    yield struct.pack(">IIIIIIII", 0x59A66A95, 4, 4, 24, 48, 1, 0, 0) + bytes(range(48))  # Sun
    yield b'/* XPM */\nstatic char *x[] = {\n"2 2 2 1",\n"a c #ff0000",\n"b c #00ff00",\n"ab",\n"ba"};\n'
    cards = ("SIMPLE  =  T", "BITPIX  =  8", "NAXIS   =  2", "NAXIS1  =  4", "NAXIS2  =  4", "END")
    yield "".join(card.ljust(80) for card in cards).encode().ljust(2880) + bytes(range(16))  # FITS
    yield b"FTEX" + struct.pack("<iiiiiiiiii", 2, 4, 4, 1, 1, 0, 1, 48, 0, 0) + bytes(range(48))
    yield struct.pack(">IIIII", 28, 2, 4, 4, 4) + b"GIMP" + struct.pack(">I", 10) + bytes(range(64))  # GBR
    pcx = _saved("PCX", _picture("L"))
    yield struct.pack("<III", 0x3ADE68B1, 12, 0) + pcx  # DCX
    fli = struct.pack("<IHHHHHHI", 200, 0xAF11, 1, 4, 4, 8, 3, 0).ljust(128, b"\0")
    yield fli + struct.pack("<IHH8x", 40, 0xF1FA, 1) + struct.pack("<IH", 22, 16) + bytes(range(16))
    yield b"\xd7\xcd\xc6\x9a" + struct.pack("<HhhhhHI", 0, 0, 0, 100, 100, 72, 0) + b"\0\0\x01\0\x09\0\0\x03" * 4  # WMF
    yield b"\x80\xe8\0\0" + bytes(412) + struct.pack("<HHII", 4, 4, 0, 0x2000E) + bytes(640)  # Pixar
    yield b"GRIB\0\0\0\x01" + bytes(30)
    yield b"\x89HDF\r\n\x1a\n" + bytes(90)
    yield _saved("PDF", _picture("RGB"))
    yield b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'


def _postscript() -> Iterator[bytes]:
    yield _saved("EPS", _picture("RGB"))
    yield _saved("EPS", _picture("L"))
    yield b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(made) (w) file closefile\n{} loop\nshowpage\n%%EOF\n"
    yield struct.pack("<IIIIIIIH", 0xC6D3D0C5, 30, 60, 0, 0, 0, 0, 0xFFFF) + b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(60)


FORMATS: dict[str, tuple[str, Callable[[], Iterator[bytes]]]] = {  # target -> ending, what makes its seeds
    "jpeg": (".jpg", _jpeg),
    "png": (".png", _png),
    "gif": (".gif", _gif),
    "bmp": (".bmp", _bmp),
    "tiff": (".tif", _tiff),
    "webp": (".webp", _webp),
    "avif": (".avif", _avif),
    "ppm": (".ppm", _ppm),
    "mpo": (".jpg", _mpo),
    "animations": (".gif", _animations),
    "jpeg2000": (".jp2", _jpeg2000),
    "ico": (".ico", _ico),
    "tga": (".tga", _tga),
    "dds": (".dds", _dds),
    "small-formats": (".png", _small),
    "foreign-formats": (".jpg", _foreign),
    "postscript": (".jpg", _postscript),
}


def seeds(target: str) -> list[Seed]:
    """The photos that a target starts from."""
    ending, make = FORMATS[target]
    return [{f"photo{ending}": content} for content in make()]


def few(n: int) -> list[bytes]:
    """Plain photos, no two alike."""
    return [_saved("PNG", _picture("RGB", seed=seed)) for seed in range(n)]
