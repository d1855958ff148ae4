"""The body of a request without its content encoding, never more of it than is allowed. Pure."""

from __future__ import annotations

import zlib

ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Content encodings that are taken, and how zlib is told of them."""
MEMBERS = 100
"""Streams one after another in one body (as `cat a.gz b.gz` makes them): each costs a copy of what follows."""


class Unsupported(ValueError):
    """An encoding that is not taken; says which are."""


class Broken(ValueError):
    """Bytes that are not of the encoding they claim."""


class TooLarge(ValueError):
    """The body is larger than allowed, once decoded."""


def decoded(encoding: str, body: bytes, most: int) -> bytes:
    """The body as it was before `encoding` (a Content-Encoding header); at most so many bytes of it are made."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ENCODINGS:
        raise Unsupported(f"the content encoding {encoding[:60]!r} is not taken; send gzip, deflate or none")
    found, rest = b"", body
    for _ in range(MEMBERS):
        engine = zlib.decompressobj(ENCODINGS[name])
        try:
            found += engine.decompress(rest, most + 1 - len(found))
        except zlib.error as error:
            raise Broken(f"the body is no {name}: {error}") from None
        if len(found) > most:
            raise TooLarge(f"the body has more than {most} bytes, decoded")
        if not engine.eof:
            raise Broken(f"the body is no {name}: it ends too early")
        rest = engine.unused_data
        if not rest:
            return found
    raise Broken(f"the body is more than {MEMBERS} {name} streams; send it as one")
