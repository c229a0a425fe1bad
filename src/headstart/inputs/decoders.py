"""Pillow at work on a stranger's bytes: formats that are named, sizes that are looked at first, one kind of error."""

from __future__ import annotations

import io
import math
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from PIL import Image, ImageFile, features

from headstart.errors import DataError, first_line

# In which people have pictures, and which Pillow decodes in this process. Left out on purpose: EPS, which Pillow hands
# to Ghostscript; WMF, EMF and other stubs, which call what the system has; PDF; and formats of games and of old
# programs, since each decoder is one more that a stranger's bytes can reach. "JPEG" opens the MPO of phones, too.
FORMATS = (
    *("JPEG", "PNG", "GIF", "BMP", "PPM"),  # Pillow has these at hand, without a look at its other plugins
    *("MPO", "WEBP", "AVIF", "TIFF", "JPEG2000", "DIB", "ICO", "ICNS", "DDS", "PCX", "PSD", "QOI", "SGI"),
    "TGA",  # has no mark to know it by: the last to be asked
)
_AT_HAND = 5
_FIRST_IS_THE_PHOTO = (
    "MPO",
    "PSD",
    "HEIF",
)  # others show it smaller, its depth or light, its layers, or the moment after
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")  # brands
_NEEDS_HEIF = "a HEIC photo, which takes pillow-heif to read: pip install 'headstart[heif]'"
_BESIDE_PNG = (b"iCCP", b"tEXt", b"zTXt", b"iTXt")  # chunks of colour profile and texts
_REDUCED, _MASK = 1, 4  # of a TIFF page's tag 254: it shows the first one smaller, or where it is transparent
_MOST_PAGES = 100  # that are looked at

# A 100-megapixel photo decodes to 300 MB. What is larger is a bomb or a scan that no backbone looks at in full.
MAX_PIXELS = 100_000_000
_MOST_SIDE = 100_000  # pixels: of rows of one pixel each takes more memory than the pixel
_MOST_IN_JPEG2000 = 20_000_000  # pixels: in blocks of 16 each takes 100 bytes and 300 nanoseconds, of no data
_MOST_IN_PYTHON = 10_000_000  # pixels, where Pillow's decoder is in Python: up to 2 seconds a million
_MOST_SCANNED = 2e10  # pixels times scans of a progressive JPEG: 3 seconds
_READS = 1_000_000  # by a decoder, and one for each 100 bytes: one that goes byte by byte through a gigabyte hangs

# The JPEG decoder may halve an image (1/2, 1/4, 1/8) as long as twice the wanted size is left: the later bicubic
# step then still averages over pixels, and features stay within cosine 0.9995 of the full decode.
_DRAFT_RESERVE = 2

EXTENT = "headstart: width and height of what is shown"  # in `info` of a reduced JPEG, whose last pixels may be cut
LARGEST = "headstart: the largest value that a pixel may have"  # in `info`, where the file says it, of over 8 bits
_SAYS_BITS = re.compile(r'SignificantBits="(\d+)"')  # of OME-XML, as Bio-Formats writes it

_OTHER_THINGS = {
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"%PDF": "a PDF",
    b"\xd7\xcd\xc6\x9a": "a Windows metafile",
    b"\xd0\xcf\x11\xe0": "an Office document",
    b"PK\3\4": "a zip archive",
    b"\x89HDF": "HDF5",
}
_MARKS = (  # that nothing else begins with
    (re.compile(rb"\x89PNG"), "PNG"),
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"(?s)RIFF....WEBP"), "WebP"),
    (re.compile(rb"II\*\0|MM\0\*"), "TIFF"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "JPEG 2000"),
    (re.compile(rb"(?s)....ftypavi[fs]"), "AVIF"),
)
_OPTIONAL = {"WebP": "webp", "JPEG 2000": "jpg_2000", "AVIF": "avif"}  # names of Pillow's features


class _Here(threading.local):
    """Whether this thread is at work on a stranger's bytes."""

    decoding = False


class _OfThisThread(type):
    """Makes a category of warnings that all of them belong to while this thread decodes, and else none."""

    def __subclasscheck__(cls, category: type) -> bool:
        return _here.decoding


class WhileDecoding(Warning, metaclass=_OfThisThread):
    """Any warning, while the thread that it is given in is at work here."""


# Pillow warns of damaged tags, and of sizes that are bounded below anyway. Threads decode, and the filters are those of
# the whole process: one that is put in and taken out around each image would silence its other threads, and stay there
# for good where two overlap. So this one is put in once, here; and again where somebody has put back what was before.
# It is of nothing but what filters are made of, since scikit-learn sends them to the processes that it starts.
_here = _Here()
_SILENCE = ("ignore", None, WhileDecoding, None, 0)


def _keep_silence() -> None:
    if _SILENCE not in warnings.filters:
        warnings.simplefilter("ignore", WhileDecoding)


_keep_silence()


def decoded(content: bytes, *, where: str, near: int | None = None, animation: bool = False) -> Image.Image:
    """A file's bytes as Pillow's image, loaded, neither upright nor RGB; what that would need is looked at before.

    Args:
        near: shorter side in pixels that is wanted; a JPEG may be decoded at a reduced scale, never below twice that.
        animation: its first frame is taken; else it is refused.

    Raises:
        DataError: not an image, truncated, an animation, or too many pixels. `what` is the reason.
    """
    with image_errors(where, content[:12]):
        if not content:
            raise DataError("the file is empty (0 bytes)")
        try:
            return _loaded(content, near=near, animation=animation)
        except ValueError:
            if not content.startswith(b"\x89PNG"):
                raise
        return _loaded(_without_texts(content), near=near, animation=animation)


def identified(content: bytes, *, where: str) -> Image.Image:
    """A file's picture by what its beginning says, nothing of it decoded: its size, its format, its EXIF.

    Raises:
        DataError: as `decoded`.
    """
    with image_errors(where, content[:12]):
        return _opened(content)[0]


def _opened(content: bytes) -> tuple[ImageFile.ImageFile, _Content]:
    if content.startswith((b"\0\0\1\0", b"icns")):
        _refuse_larger(*_sizes_inside(content), most=_MOST_IN_JPEG2000)  # Pillow decodes an icon when it opens it
    file = _Content(content)
    return _identified(file), file


def _loaded(content: bytes, *, near: int | None, animation: bool) -> Image.Image:
    image, file = _opened(content)
    if not animation:
        _refuse_frames(image)
    declared = image.size
    if near is not None and image.format == "JPEG":
        drafted = image.draft("RGB", _draft_size(image.size, near))
        image.info |= {EXTENT: drafted[1][2:]} if drafted else {}
    slow = any(str(tile[0]) in Image.DECODERS for tile in image.tile)
    most = _MOST_IN_JPEG2000 if image.format == "JPEG2000" else MAX_PIXELS
    bounded(image, most=_MOST_IN_PYTHON if slow else most)
    _refuse_greedy(image, declared, content)
    if slow:
        file.left += 3 * math.prod(image.size)
    image.load()
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image.info |= _largest(image, content)
    return bounded(image)


def _largest(image: Image.Image, content: bytes) -> dict[str | tuple[int, int], int]:
    """What a file says of the range of its values, for `info`: empty where it says nothing but how they are stored.

    Cameras of 12 bits write 16, of which the upper four are unused, and mostly no word of it. A TIFF's largest value
    may be that of this one picture: only one that ends a range of bits is of its camera. PNG stores all scaled to 16.
    """
    if image.format == "PNG":
        scaled = content.find(b"\0\0\0\1sBIT", 0, content.find(b"IDAT")) >= 0
        return {LARGEST: 2**16 - 1} if scaled else {}
    with suppress(Exception):  # of tags of any type and length
        tags = getattr(image, "tag_v2", {})
        for tag in (341, 281):  # SMaxSampleValue, MaxSampleValue
            value = tags[tag][0] if tag in tags else 0
            if value in [2**bits - 1 for bits in range(8, 17)]:
                return {LARGEST: int(value)}
        told = _SAYS_BITS.search(str(tags.get(270, "")))
        bits = min(int(told[1]) if told else 16, int(tags.get(258, (16,))[0]))
        return {LARGEST: 2**bits - 1} if 8 <= bits < 16 else {}
    return {}


@contextmanager
def image_errors(where: str, start: bytes = b"") -> Iterator[None]:
    """The one place that Pillow works in on a stranger's bytes: its decoders raise whatever there is."""
    outer, _here.decoding = _here.decoding, True
    _keep_silence()
    try:
        yield
    except DataError as error:
        raise DataError(error.what, where=error.where or where, fix=error.fix) from None
    except Image.DecompressionBombError:
        raise DataError(f"more than {MAX_PIXELS // 10**6} million pixels", where=where) from None
    except Image.UnidentifiedImageError:
        raise DataError(_not_an_image(start), where=where) from None
    except MemoryError:
        raise DataError("not enough memory to decode it", where=where) from None
    except Exception as error:
        raise DataError(f"damaged image: {first_line(error)}", where=where) from None
    finally:
        _here.decoding = outer


def bounded(image: Image.Image, *, most: int = MAX_PIXELS) -> Image.Image:
    """The image itself, which is of some pixels and of no more than these."""
    width, height = image.size
    if width * height <= 0:
        raise DataError(f"{width} x {height} pixels")
    if max(width, height) > _MOST_SIDE:
        raise DataError(f"{width} x {height} pixels, more than {_MOST_SIDE:,} a side")
    if width * height > most:
        slowly = "" if most != _MOST_IN_PYTHON else f" of {image.format}"
        raise DataError(f"{width} x {height} pixels{slowly}, more than {most // 10**6} million")
    return image


class _Content(io.BytesIO):
    """A file's bytes, of which a decoder may read so many pieces only: some go through junk byte by byte."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.left = _READS + len(content) // 100

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise OSError("too many pieces in it")
        return super().read(size)


def _not_an_image(start: bytes) -> str:
    name = next((name for mark, name in _MARKS if mark.match(start)), None)
    if name is not None and features.check(_OPTIONAL.get(name, "jpg")) is False:
        return f"{name}, which Pillow does not read as it is installed here"
    if name is not None:
        return f"damaged {name}: it starts as one, and no picture is found in it"
    what = next((what for mark, what in _OTHER_THINGS.items() if start.startswith(mark)), "")
    return f"not an image{' but ' if what else ''}{what} (it starts with {start[:8]!r})"


def _identified(file: _Content) -> ImageFile.ImageFile:
    start = file.getbuffer()[:64].tobytes()
    try:
        return Image.open(file, formats=FORMATS[:_AT_HAND])
    except Image.UnidentifiedImageError:
        Image.init()
    try:
        return Image.open(file, formats=[name for name in FORMATS[_AT_HAND:] if name in Image.OPEN])
    except Image.UnidentifiedImageError:
        if start[4:8] != b"ftyp" or b"avif" in start or not any(brand in start for brand in _HEIF):
            raise
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise DataError(_NEEDS_HEIF) from None
    found: ImageFile.ImageFile = HeifImageFile(file)  # not put among Pillow's own: those are of the whole process
    return found


def _without_texts(content: bytes) -> bytes:
    """A PNG without colour profile and texts. Pillow reads at most a megabyte of each, and nothing here reads any."""
    kept, at = [content[:8]], 8
    for _ in range(_READS):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] not in _BESIDE_PNG:
            kept.append(content[at:end])
        at = end
        if at >= len(content):
            break
    return b"".join(kept)


def _refuse_frames(image: Image.Image) -> None:
    """Raise DataError where it is not one picture."""
    if image.format in _FIRST_IS_THE_PHOTO or not getattr(image, "is_animated", False):
        return
    try:
        n = getattr(image, "n_frames", 2)
        if image.format == "TIFF":
            if n > _MOST_PAGES or not all(_shows_the_first(image, page) for page in range(1, n)):
                raise DataError(f"a TIFF of {n:,} pages, and one picture is wanted: save each page as a file")
            image.seek(0)
            return
    except DataError:
        raise
    except Exception:  # frames are gone through one by one: of damaged ones, or of more than anybody looks at
        raise DataError("an animation, not a photo") from None
    raise DataError(f"an animation of {n:,} frames, not a photo")


def _shows_the_first(image: Image.Image, page: int) -> bool:
    image.seek(page)
    return bool(int(getattr(image, "tag_v2", {}).get(254, 0)) & (_REDUCED | _MASK))


def _refuse_greedy(image: Image.Image, declared: tuple[int, int], content: bytes) -> None:
    """Raise DataError where decoding takes more than the image's size says."""
    if image.format == "TIFF":
        tags = getattr(image, "tag_v2", {})
        _refuse_larger((int(tags.get(322, 0)), int(tags.get(323, 0))))  # of a tile
    elif image.format in ("JPEG", "MPO") and image.info.get("progressive"):
        _refuse_larger(declared)  # all of it is in memory, whatever the scale that it is wanted at
        scans = content.count(b"\xff\xda")
        if scans * math.prod(declared) > _MOST_SCANNED:
            raise DataError(f"{declared[0]} x {declared[1]} pixels in {scans} scans, which is a bomb")


def _refuse_larger(*sizes: tuple[int, int], most: int = MAX_PIXELS) -> None:
    for width, height in sizes:
        if width * height > most:
            raise DataError(f"{width} x {height} pixels in a part, more than {most // 10**6} million")


def _sizes_inside(content: bytes) -> list[tuple[int, int]]:
    """What the images in a file of icons say of their own size: PNG, JPEG 2000 and, in an ICO's list, bitmaps."""
    found = [struct.unpack(">II", size) for size in re.findall(rb"(?s)IHDR(.{8})", content)]
    found += [struct.unpack(">II", size) for size in re.findall(rb"(?s)\xff\x4f\xff\x51.{4}(.{8})", content)]
    for entry in range(6, 6 + 16 * int.from_bytes(content[4:6], "little"), 16):
        at = int.from_bytes(content[entry + 12 : entry + 16], "little")
        if content[at : at + 4] == b"\x28\0\0\0":
            found.append(struct.unpack("<II", content[at + 4 : at + 12].ljust(8, b"\0")))
    return [(size[0], size[1]) for size in found]


def _draft_size(size: tuple[int, int], near: int) -> tuple[int, int]:
    factor = _DRAFT_RESERVE * near / min(size)
    return (math.ceil(size[0] * factor), math.ceil(size[1] * factor)) if factor < 1 else size
