"""Images as odd as those that people have, made in code, each with what must come of it."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from tests.pictures import jpeg, picture

SCENE = picture(7, 90, 60)
GRAY = SCENE.convert("L")
BACKGROUND = (250, 200, 30)


@dataclass(frozen=True)
class Readable:
    """An image that must be read, and how it looks upright in sRGB over `BACKGROUND`."""

    data: bytes
    looks: Image.Image
    format: str = "jpeg"
    conversions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unreadable:
    """An image that must be refused, and for what."""

    data: bytes
    reason: str


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """`image` as a file of that kind."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif_with_orientation(orientation: int) -> bytes:
    """An EXIF block as Pillow saves it, with a place in it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "52.37N 4.89E"
    return exif.tobytes()


def swapped_profile() -> bytes:
    """sRGB with the primaries of red and blue exchanged."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return srgb.replace(b"rXYZ", b"????", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"????", b"bXYZ", 1)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def linear_gray_profile() -> bytes:
    """A grey profile of gamma 1, written by hand: header, tag table, white point, curve."""
    white = b"XYZ " + bytes(4) + struct.pack(">iii", *(round(value * 65536) for value in (0.9642, 1.0, 0.8249)))
    curve = b"curv" + bytes(4) + struct.pack(">IHH", 1, 0x0100, 0)
    at = 128 + 4 + 2 * 12
    table = struct.pack(">I", 2) + b"wtpt" + struct.pack(">II", at, len(white))
    table += b"kTRC" + struct.pack(">II", at + len(white), len(curve) - 2)
    body = table + white + curve
    header = bytearray(128)
    header[0:4] = struct.pack(">I", 128 + len(body))
    header[8:12] = bytes((2, 0x10, 0, 0))
    header[12:24] = b"mntrGRAYXYZ "
    header[36:40] = b"acsp"
    header[68:80] = struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    return bytes(header) + body


def stored_as(image: Image.Image, orientation: int) -> Image.Image:
    """`image` as a camera stores it that then says `orientation`."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return image.transpose(undo[orientation]) if orientation in undo else image


def png(width: int, height: int, depth: int, color: int, rows: bytes, *before: tuple[bytes, bytes]) -> bytes:
    """A PNG by hand: `rows` with their filter bytes, and chunks `before` the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = (struct.pack(">I", len(data)) + tag + data + _crc(tag + data) for tag, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def _crc(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))


def _deep_png(channels: np.ndarray, color: int) -> bytes:
    """16 bits a channel; `channels` has shape (height, width, n) of 8-bit values."""
    height, width = channels.shape[:2]
    deep = (channels.astype(np.uint32) * 257).astype(">u2").reshape(height, -1)
    return png(width, height, 16, color, b"".join(b"\x00" + row.tobytes() for row in deep))


def _over_background(image: Image.Image) -> Image.Image:
    under = Image.new("RGBA", image.size, (*BACKGROUND, 255))
    under.alpha_composite(image.convert("RGBA"))
    return under.convert("RGB")


def _ycck() -> bytes:
    """Adobe's YCCK: inks as YCbCr, black inverted. Pillow writes only CMYK, inverted, so that this says the rest."""
    inks = SCENE.convert("CMYK")
    chroma = Image.merge("RGB", inks.split()[:3]).convert("YCbCr").split()
    planes = [Image.eval(plane, lambda value: 255 - value) for plane in chroma]
    data = saved(Image.merge("CMYK", (*planes, inks.getchannel("K"))), "JPEG", quality=97)
    adobe = data.index(b"Adobe")
    return data[: adobe + 11] + b"\x02" + data[adobe + 12 :]


def _lab() -> bytes:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(SCENE, to_lab)
    assert lab is not None
    return saved(lab, "TIFF")


def _with_corner_cut(mode: str) -> Image.Image:
    image = SCENE.convert(mode)
    alpha = Image.new("L", SCENE.size, 255)
    alpha.paste(0, (0, 0, 40, 30))
    alpha.paste(120, (50, 30, 90, 60))
    image.putalpha(alpha)
    return image


def _transparent_palette() -> Image.Image:
    image = SCENE.quantize(64)
    image.info["transparency"] = image.getpixel((5, 5))
    return image


def readable() -> dict[str, Readable]:
    plain = jpeg(7, 90, 60, quality=97)
    frames = [GRAY.convert("RGB")] * 2
    cut, cut_gray, palette = _with_corner_cut("RGB"), _with_corner_cut("L"), SCENE.quantize(64)
    blue_red = Image.merge("RGB", SCENE.split()[::-1])
    clear = _transparent_palette()
    bits = SCENE.convert("1", dither=Image.Dither.NONE)
    gray = np.asarray(GRAY)
    exif = exif_with_orientation(6)
    bad_exif = exif.replace(b"Exif\x00\x00MM", b"Exif\x00\x00XX").replace(b"Exif\x00\x00II", b"Exif\x00\x00XX")
    cases = {
        "plain": Readable(plain, SCENE),
        "progressive": Readable(jpeg(7, 90, 60, quality=97, progressive=True), SCENE),
        "gray": Readable(saved(GRAY, "JPEG", quality=97), GRAY, conversions=("gray",)),
        "junk between segments": Readable(plain[:20] + b"\x00\x17junk" + plain[20:], SCENE),
        "bytes after the end": Readable(plain + b"trailing \xff\xd8\xff", SCENE),
        "malformed exif": Readable(jpeg(7, 90, 60, quality=97, exif=bad_exif), SCENE),
        "cut exif": Readable(jpeg(7, 90, 60, quality=97, exif=exif[:16]), SCENE),
        "srgb profile": Readable(jpeg(7, 90, 60, quality=97, icc_profile=srgb_profile()), SCENE),
        "broken profile": Readable(jpeg(7, 90, 60, quality=97, icc_profile=b"no profile at all"), SCENE),
        "other profile": Readable(
            saved(blue_red, "JPEG", quality=97, subsampling=0, icc_profile=swapped_profile()), SCENE, "jpeg", ("icc",)
        ),
        "other profile png": Readable(saved(blue_red, "PNG", icc_profile=swapped_profile()), SCENE, "png", ("icc",)),
        "cmyk": Readable(saved(SCENE.convert("CMYK"), "JPEG", quality=97), SCENE, conversions=("cmyk",)),
        "ycck": Readable(_ycck(), SCENE, conversions=("cmyk",)),
        "cmyk tiff": Readable(saved(SCENE.convert("CMYK"), "TIFF"), SCENE, "tiff", ("cmyk",)),
        "lab": Readable(_lab(), SCENE, "tiff", ("lab",)),
        "png": Readable(saved(SCENE, "PNG"), SCENE, "png"),
        "bmp": Readable(saved(SCENE, "BMP"), SCENE, "bmp"),
        "webp": Readable(saved(SCENE, "WEBP", lossless=True), SCENE, "webp"),
        "tiff": Readable(saved(SCENE, "TIFF"), SCENE, "tiff"),
        "ppm": Readable(saved(SCENE, "PPM"), SCENE, "ppm"),
        "16 bit gray png": Readable(_deep_png(gray[:, :, None], 0), GRAY, "png", ("16bit", "gray")),
        "16 bit gray tiff": Readable(
            saved(Image.fromarray(gray.astype(np.uint16) * 257), "TIFF"), GRAY, "tiff", ("16bit", "gray")
        ),
        "float tiff": Readable(
            saved(Image.fromarray(gray.astype(np.float32) / 255), "TIFF"), GRAY, "tiff", ("16bit", "gray")
        ),
        "16 bit rgb": Readable(_deep_png(np.asarray(SCENE), 2), SCENE, "png", ("16bit",)),
        "16 bit rgba": Readable(_deep_png(np.asarray(cut), 6), _over_background(cut), "png", ("16bit", "alpha")),
        "rgba": Readable(saved(cut, "PNG"), _over_background(cut), "png", ("alpha",)),
        "gray with alpha": Readable(saved(cut_gray, "PNG"), _over_background(cut_gray), "png", ("alpha", "gray")),
        "palette": Readable(saved(palette, "PNG"), palette.convert("RGB"), "png", ("palette",)),
        "palette with transparency": Readable(
            saved(clear, "PNG"), _over_background(clear), "png", ("alpha", "palette")
        ),
        "one bit": Readable(saved(bits, "PNG"), bits.convert("RGB"), "png", ("gray",)),
        "animated gif": Readable(
            saved(palette, "GIF", save_all=True, append_images=frames),
            palette.convert("RGB"),
            "gif",
            ("animation", "palette"),
        ),
        "animated webp": Readable(
            saved(SCENE, "WEBP", lossless=True, save_all=True, append_images=frames), SCENE, "webp", ("animation",)
        ),
        "sideways png": Readable(saved(stored_as(SCENE, 6), "PNG", exif=exif), SCENE, "png", ("exif_orientation",)),
    }
    for orientation in range(1, 9):
        data = saved(stored_as(SCENE, orientation), "JPEG", quality=97, exif=exif_with_orientation(orientation))
        conversions = ("exif_orientation",) if orientation > 1 else ()
        cases[f"orientation {orientation}"] = Readable(data, SCENE, conversions=conversions)
    return cases


def unreadable() -> dict[str, Unreadable]:
    plain, inked = jpeg(7, 90, 60), saved(SCENE.convert("CMYK"), "JPEG")
    lossless = saved(SCENE, "PNG")
    frame = plain.index(b"\xff\xc0")
    vast = plain[: frame + 5] + struct.pack(">HH", 60_000, 60_000) + plain[frame + 9 :]
    gif = saved(SCENE, "GIF")
    text = (b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(64 * 2**20), 9))
    return {
        "empty": Unreadable(b"", "empty"),
        "text": Unreadable(b"no image at all\n", "not_an_image"),
        "half a jpeg": Unreadable(plain[: len(plain) // 2], "truncated"),
        "jpeg without end": Unreadable(plain[:-2], "truncated"),
        "jpeg header only": Unreadable(plain[:40], "truncated"),
        "damaged jpeg": Unreadable(with_stray_marker(plain), "corrupt"),
        "half a cmyk jpeg": Unreadable(inked[: len(inked) // 2], "truncated"),
        "damaged cmyk jpeg": Unreadable(with_stray_marker(inked), "corrupt"),
        "vast jpeg": Unreadable(vast, "too_many_pixels"),
        "half a png": Unreadable(lossless[: len(lossless) // 2], "truncated"),
        "damaged png": Unreadable(png(90, 60, 8, 2, b"\x00" * 16).replace(b"IDAT", b"IDAT\xff\xff"), "corrupt"),
        "png that is none": Unreadable(lossless[:8] + b"something else altogether", "corrupt"),
        "vast png": Unreadable(png(30_000, 30_000, 8, 2, b""), "too_many_pixels"),
        "png with text bomb": Unreadable(png(1, 1, 8, 2, bytes(4), text), "decompression_bomb"),
        "vast gif": Unreadable(gif[:6] + b"\xff\xff\xff\xff" + gif[10:], "too_many_pixels"),
        "gif of no width": Unreadable(gif[:6] + bytes(2) + gif[8:], "no_pixels"),
        "png of no height": Unreadable(png(5, 0, 8, 2, b""), "no_pixels"),
        "heic": Unreadable(b"\x00\x00\x00\x18ftypheic" + bytes(40), "unsupported"),
    }


def with_stray_marker(data: bytes) -> bytes:
    """A JPEG with a restart marker in the middle of its pixels, where none belongs."""
    middle = data.index(b"\xff\xda") + (len(data) - data.index(b"\xff\xda")) // 2
    return data[:middle] + b"\xff\xd3" + data[middle + 2 :]
