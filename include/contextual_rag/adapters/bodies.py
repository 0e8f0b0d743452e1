"""The bodies of HTTP answers: decompressed within a limit, and forgiven what browsers forgive."""

from __future__ import annotations

import zlib

import httpcore
import httpx

from contextual_rag.errors import PageError

__all__ = ["BusyError", "read_body"]

_GZIP = b"\x1f\x8b"
# How a page begins that is not compressed, whatever its header says: with a tag or a byte order mark.
_TEXT = frozenset({b"", b"<", b"\xef"})
_DECODED = frozenset({"gzip", "x-gzip", "deflate"})
# Servers also name character encodings or nothing here; browsers take the body as it is then.
_UNKNOWN = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip"})


class BusyError(Exception):
    """The same request may succeed in a moment. `retry_after` is the wait that the site asked for, in seconds.

    `code` is that of the PageUnavailableError which ends the last attempt.
    """

    def __init__(self, what: str, retry_after: float = 0, *, code: str | None = None) -> None:
        super().__init__(what)
        self.retry_after = retry_after
        self.code = code


def read_body(target: httpx.URL, response: httpcore.Response, headers: dict[str, str], limit: int) -> bytes:
    """Return the decompressed body; holds little more than `limit` bytes of it in memory.

    Raises PageError if it is larger or compressed in another way than was accepted, BusyError if it is cut off.
    """
    too_large = PageError(
        f"{target} is larger than {limit} bytes. Remove the link or raise RAG_MAX_PAGE_BYTES (RAG_MAX_FILE_BYTES for "
        "PDF, Word, Excel, PowerPoint and EPUB files)",
        code="page_too_large",
    )
    encodings = [one.strip().lower() for one in headers.get("content-encoding", "").split(",")]
    if unknown := next((one for one in encodings if one in _UNKNOWN), None):
        raise PageError(f"{target} is encoded as {unknown!r}, but only gzip was accepted. Remove the link")
    if int(headers.get("content-length", 0)) > limit:
        raise too_large
    # The last encoding was applied last.
    packed = [_Packed(one) for one in reversed(encodings) if one in _DECODED]
    body, received = bytearray(), 0
    for chunk in response.iter_stream():
        received += len(chunk)
        for layer in packed:
            chunk = layer.unpack(chunk, limit + 1)  # noqa: PLW2901
        body += chunk
        if max(received, len(body)) > limit:
            raise too_large
    rest = b""
    for layer in packed:
        rest = layer.unpack(rest, limit + 1) + layer.end()
    return bytes(body + rest)


class _Packed:
    """Unpacks gzip, or deflate with and without the header of zlib. A page that is not compressed stays as it is."""

    def __init__(self, encoding: str) -> None:
        self._is_deflate = encoding == "deflate"
        self._head = b""
        self._unzip: zlib._Decompress | None = None
        self._is_plain = self._is_over = False

    def unpack(self, data: bytes, most: int) -> bytes:
        """Return the next bytes; once they are `most`, the rest is lost."""
        found = b""
        while data and len(found) < most and not self._is_over:
            if self._is_plain:
                return found + data
            if self._unzip is None or self._unzip.eof:
                data, self._head = self._head + data, b""
                if len(data) < len(_GZIP):
                    self._head = data
                    break
                self._start(data)
                continue
            found += self._unzip.decompress(data, most - len(found))
            data = self._unzip.unused_data
        return found

    def end(self) -> bytes:
        """Return what is left. Raises BusyError if the data is cut off."""
        if self._unzip is None:
            return self._head
        if not self._unzip.eof:
            raise BusyError("ended before the compressed page was complete")
        return b""

    def _start(self, data: bytes) -> None:
        if data.startswith(_GZIP):
            # Gzip allows several members in a row.
            self._unzip = zlib.decompressobj(wbits=31)
        elif self._unzip is not None:
            self._is_over = True  # browsers ignore what else stands behind a member
        elif data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0:
            self._unzip = zlib.decompressobj()
        elif data.lstrip()[:1] in _TEXT:
            self._is_plain = True
        else:
            self._unzip = zlib.decompressobj(wbits=-15 if self._is_deflate else 31)
