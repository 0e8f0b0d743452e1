"""What lies below a prefix of an object store, `s3://bucket/prefix`, as a site: its objects are pages.

The listing says which of them changed, so that the others are not asked for.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final, Self
from urllib.parse import unquote

from contextual_rag.errors import FatalError, PageError, PageUnavailableError, RetriableError, SourceError
from contextual_rag.ports import ObjectStore, Response
from contextual_rag.readers.index_page import Index, Link
from contextual_rag.readers.registry import FILE_TYPES, TYPE_OF_SUFFIX, lacking_extra, unknown_type
from contextual_rag.sources.folder import escaped, named_files

__all__ = ["Prefix", "bucket_of"]

_MOST = 20_000


def bucket_of(source: str) -> str | None:
    """Return `bucket` or `bucket/prefix` of a source in an object store; a prefix is a folder."""
    return source.removeprefix("s3://").rstrip("/") if source.startswith("s3://") else None


class Prefix:
    """The objects of a store that a reader knows, each at `s3://bucket/prefix/…`. Its ETag says if it changed."""

    kind: Final = "bucket"

    def __init__(self, store: ObjectStore, where: str, *, max_bytes: int, max_file_bytes: int = 50_000_000) -> None:
        self._store, self._max_bytes, self._max_file_bytes = store, max_bytes, max_file_bytes
        self._start = f"s3://{where}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def listing(self) -> Index:
        """Return the objects, in the order of their keys, and what is left out, with the reason. Raises SourceError."""
        changes: dict[str, str | None] = {}
        left_out = []
        try:
            for n, found in enumerate(self._store.describe("")):
                if n >= _MOST:
                    raise SourceError(f"{self._start} has more than {_MOST:,} objects. Name a longer prefix.")
                if found.key.endswith("/") and not found.size:
                    continue  # what tools store for a folder
                if reason := self._reason(found.key, found.size):
                    left_out.append(Link(title=found.key, url=self._start + escaped(found.key), reason=reason))
                else:
                    changes[found.key] = found.etag
        except FatalError as error:
            if isinstance(error, SourceError):
                raise
            raise SourceError(f"{self._start} cannot be listed: {error}") from error
        named = zip(named_files(list(changes), lambda key: self._start + escaped(key)), changes.values(), strict=True)
        entries = tuple(entry.model_copy(update={"change": etag}) for entry, etag in named)
        return Index(entries=entries, elsewhere=tuple(left_out))

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:  # noqa: ARG002
        """Return an object. Raises PageError if it is not there, or none that is read."""
        key = unquote(url.removeprefix(self._start))
        try:
            found = self._store.get(key) if url.startswith(self._start) else None
        except RetriableError as error:
            raise PageUnavailableError(f"{url} was not read: {error}") from error
        except FatalError as error:
            raise PageError(f"{url} was not read: {error}") from error
        if found is None:
            raise PageError(f"{url} is not there any more", code="page_gone")
        if reason := self._reason(key, len(found.body)):
            raise PageError(f"{url} was not read: {reason}")
        kind = TYPE_OF_SUFFIX[PurePosixPath(key).suffix.lower()]
        return Response(200, found.body, None, found.etag, None, url, kind)

    def _reason(self, key: str, size: int) -> str | None:
        """Why an object is no document, if it is none."""
        if not key.isprintable():
            return "its name has characters that cannot be shown"
        if any(part.startswith(".") for part in key.split("/")):
            return "hidden: its name begins with a dot"
        kind = TYPE_OF_SUFFIX.get(PurePosixPath(key).suffix.lower())
        if kind is None:
            return unknown_type(PurePosixPath(key).suffix)
        limit, setting = (
            (self._max_file_bytes, "RAG_MAX_FILE_BYTES")
            if kind in FILE_TYPES
            else (self._max_bytes, "RAG_MAX_PAGE_BYTES")
        )
        if size > limit:
            return f"larger than {limit:,} bytes ({setting})"
        return lacking_extra(kind) if size else "empty"
