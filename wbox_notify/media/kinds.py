"""Kinds of files by their content; the name decides only between kinds that begin alike."""

import re
import unicodedata
from pathlib import PurePath
from typing import NamedTuple
from urllib.parse import quote

HEAD = 4096
"""The number of first bytes of a file that show its kind."""

_OFFICE = {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".zip": "application/zip",
}
_OLD_OFFICE = {
    ".doc": "application/msword",
    ".xls": "application/vnd.ms-excel",
    ".ppt": "application/vnd.ms-powerpoint",
}
_TEXT = {".csv": "text/csv; charset=utf-8"}
_MP4 = {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"MSNV", b"dash"}
_LONGEST, _LONGEST_SUFFIX = 150, 16  # bytes, letters: with an id before it, a folder takes the name
_UNSAFE = re.compile(
    r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|%#\ud800-\udfff\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]'
)
_HARMLESS = {".pdf", ".txt", ".csv", ".doc", ".xls", ".ppt", *_OFFICE}
"""Endings of files that neither a web server nor a browser runs."""


class Kind(NamedTuple):
    """The kind of a file.

    Attributes:
        type: Its media type.
        family: What WhatsApp shows it as: ``image``, ``video``, ``audio`` or ``document``.
        suffixes: The endings of which its name has one; empty where any name will do.
    """

    type: str
    family: str
    suffixes: tuple[str, ...] = ()


_DOCUMENT = Kind("application/octet-stream", "document")
_BEGINNINGS = (
    (b"\xff\xd8\xff", Kind("image/jpeg", "image", (".jpg", ".jpeg"))),
    (b"\x89PNG\r\n\x1a\n", Kind("image/png", "image", (".png",))),
    (b"GIF8", Kind("image/gif", "image", (".gif",))),
    (b"%PDF-", Kind("application/pdf", "document", (".pdf",))),
    (b"ID3", Kind("audio/mpeg", "audio", (".mp3",))),
    (b"OggS", Kind("audio/ogg", "audio", (".ogg", ".oga", ".opus"))),
    (b"#!AMR", Kind("audio/amr", "audio", (".amr",))),
)
_WEBP = Kind("image/webp", "image", (".webp",))
_VIDEO = Kind("video/mp4", "video", (".mp4", ".m4v"))
_3GP = Kind("video/3gpp", "video", (".3gp",))
_M4A = Kind("audio/mp4", "audio", (".m4a",))
_MP3 = Kind("audio/mpeg", "audio", (".mp3",))
_AAC = Kind("audio/aac", "audio", (".aac",))


def recognise(head: bytes, name: str) -> Kind:
    """Return what a file is, by its first bytes; its name decides between kinds that begin alike."""
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _WEBP
    if head[4:8] == b"ftyp":
        return _film(head[8:12])
    return _sound(head) or _document(head, PurePath(name).suffix.lower())


def safe_name(name: str, kind: Kind) -> str:
    """Return a name that may stand in an address and in a folder, and that ends as its kind does."""
    text = " ".join(_UNSAFE.sub("_", unicodedata.normalize("NFC", name)).split()).strip(" .")
    stem, dot, suffix = text.rpartition(".")
    if not stem or len(suffix) > _LONGEST_SUFFIX:
        stem, dot, suffix = text, "", ""
    stem = stem.encode()[:_LONGEST].decode(errors="ignore").strip(" .") or "file"
    whole = f"{stem}{dot}{suffix}"
    if kind.suffixes and not whole.lower().endswith(kind.suffixes):
        return f"{whole}{kind.suffixes[0]}"
    return whole


def static_name(name: str, family: str) -> str:
    """Return a name under which neither a web server nor a browser runs the file.

    It has one ending: Apache takes `a.php.pdf` for PHP where it was told so with AddHandler.
    """
    path = PurePath(name)
    if family == "document" and path.suffix.lower() not in _HARMLESS:
        return f"{name.replace('.', '_')}.bin"
    return f"{path.stem.replace('.', '_')}{path.suffix}"


def disposition(name: str, kind_type: str) -> str:
    """Return the header by which a browser shows pictures, videos, sounds and PDF, and saves all else."""
    inline = kind_type.startswith(("image/", "video/", "audio/")) or kind_type == "application/pdf"
    plain = re.sub(r'[^ -~]|["\\]', "_", name)
    how = "inline" if inline else "attachment"
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _film(brand: bytes) -> Kind:
    if brand[:3] in {b"3gp", b"3g2"}:
        return _3GP
    if brand in {b"M4A ", b"M4B "}:
        return _M4A
    if brand in _MP4:
        return _VIDEO
    return _DOCUMENT


def _sound(head: bytes) -> Kind | None:
    """Return the kind of a sound that begins with its first frame; text in UTF-16 begins much like one."""
    if len(head) < 4 or head[0] != 0xFF:  # noqa: PLR2004 - eleven or twelve bits are set
        return None
    if head[1] in {0xF1, 0xF9} and head[2] >> 2 & 0xF < 13:  # noqa: PLR2004 - there are 13 sampling rates
        return _AAC
    layer_3 = head[1] in {0xFB, 0xFA, 0xF3, 0xF2}
    if layer_3 and head[2] >> 4 not in {0, 15} and head[2] >> 2 & 3 != 3:  # noqa: PLR2004 - bit, sampling rate
        return _MP3
    return None


def _document(head: bytes, suffix: str) -> Kind:
    """Return the kind of any other file; within those that begin alike its ending tells."""
    if head.startswith(b"PK\x03\x04"):
        types = _OFFICE
    elif head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        types = _OLD_OFFICE
    elif _is_text(head):
        return Kind(_TEXT.get(suffix, "text/plain; charset=utf-8"), "document")
    else:
        return _DOCUMENT
    return Kind(types.get(suffix, _DOCUMENT.type), "document")


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    # A character may be cut in two at the end of a full head.
    text = head[:-3] if len(head) == HEAD else head
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return len(head) == HEAD and error.start >= HEAD - 6
    return True
