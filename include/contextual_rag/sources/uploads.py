"""Files that people uploaded, as a source: each is one object of the bucket, whose key says everything about it.

Two people who upload the same file have an object each, and together one document, named as it was first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import PurePosixPath
from typing import Final, NamedTuple, Self

from contextual_rag import keys
from contextual_rag.errors import PageError, PageUnavailableError, RetriableError
from contextual_rag.model import Source
from contextual_rag.ports import ObjectStore, Response
from contextual_rag.readers.index_page import Index
from contextual_rag.readers.registry import TYPE_OF_SUFFIX
from contextual_rag.sources.folder import escaped, named_files

__all__ = ["UPLOADS", "Upload", "Uploads", "document_id", "file_name", "is_upload", "suffix_of", "uploads_below"]

UPLOADS: Final = Source(name="uploads", url="uploads:")
_SCHEME: Final = "upload:"
_ID, _LONGEST, _MOST_BYTES, _LONGEST_GIVEN = 32, 100, 200, 1000


class Upload(NamedTuple):
    """A file that a person uploaded. Its document is the same for all who uploaded these bytes."""

    key: str
    sha256: str
    name: str
    size: int
    at: datetime

    @property
    def id(self) -> str:
        """The beginning of the digest of its bytes."""
        return self.sha256[:_ID]


class Uploads:
    """The uploads of all people, oldest first, each at `upload:<id>/<name>`."""

    kind: Final = "uploads"

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def listing(self) -> Index:
        """Return all there is; none is no error."""
        named = named_files(
            [f"{one.id}/{one.name}" for one in self._files.values()], lambda name: _SCHEME + escaped(name)
        )
        entries = (
            entry.model_copy(update={"change": one.sha256})
            for entry, one in zip(named, self._files.values(), strict=True)
        )
        return Index(entries=tuple(entries), elsewhere=())

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:  # noqa: ARG002
        """Return a file. Raises PageError if it was removed."""
        upload = self._files.get(document_id(url) or "")
        try:
            found = self._store.get(upload.key) if upload else None
        except RetriableError as error:
            raise PageUnavailableError(f"{url} was not read: {error}") from error
        if upload is None or found is None:
            raise PageError(f"{url} was removed", code="page_gone")
        return Response(200, found.body, None, upload.sha256, None, url, TYPE_OF_SUFFIX.get(suffix_of(upload.name)))

    @cached_property
    def _files(self) -> dict[str, Upload]:
        found: dict[str, Upload] = {}
        for one in sorted(uploads_below(self._store, keys.UPLOADS), key=lambda one: (one.at, one.key)):
            found.setdefault(one.id, one)
        return found


def uploads_below(store: ObjectStore, prefix: str) -> Iterator[Upload]:
    """Yield the uploads below a prefix, in the order of their keys."""
    for found in store.describe(prefix):
        if named := keys.upload_of(found.key):
            yield Upload(found.key, named[1], named[2], found.size, found.modified)


def is_upload(url: str) -> bool:
    """Whether an address is that of an uploaded document."""
    return url.startswith(_SCHEME)


def document_id(url: str) -> str | None:
    """Return the id in the address of an uploaded document; None for any other address."""
    return url.removeprefix(_SCHEME).partition("/")[0] if is_upload(url) else None


def suffix_of(name: str) -> str:
    """Return what a name ends in, such as .pdf."""
    return PurePosixPath(name).suffix.lower()


def file_name(given: str) -> str:
    """Return the name of a file as people may see it: without folders and signs that cannot be seen, and not long."""
    # Normalising sorts combining marks in quadratic time.
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", given)[-1][-_LONGEST_GIVEN:])
    seen = "".join(" " if sign.isspace() else sign for sign in last if sign.isspace() or _is_seen(sign))
    plain = " ".join(seen.split()).lstrip(". ")
    suffix = PurePosixPath(plain).suffix[:_ID]
    stem = plain.removesuffix(suffix)[:_LONGEST].encode()[: _MOST_BYTES - len(suffix.encode())].decode(errors="ignore")
    return f"{stem.strip() or 'document'}{suffix}"


def _is_seen(sign: str) -> bool:
    """Whether a sign is neither a control character, nor one that turns the direction, nor half of another."""
    return unicodedata.category(sign)[0] != "C" and sign.isprintable()
