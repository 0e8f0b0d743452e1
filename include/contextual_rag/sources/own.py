"""A source of one's own: a class with `list` and `fetch`, see `OwnSource`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

from contextual_rag.errors import PageError, RagError, SettingError, SourceError
from contextual_rag.ports import Response
from contextual_rag.readers.index_page import Index, Link, entries_of, split
from contextual_rag.readers.registry import FILE_TYPES, MEDIA_TYPES

__all__ = ["Item", "Own", "OwnSource", "own_source"]

_MOST = 20_000
_SITE: Final = re.compile(r"https?://[^/?#@\s]+\S*")


class Item(NamedTuple):
    """A document as a source of one's own lists it.

    `url` is an address, or any name that the source's `fetch` knows. `changed` is any text that is another one whenever
    the document is: a time, a number, a digest. Without it, the document is fetched at each run.
    """

    url: str
    title: str = ""
    date: str | None = None
    changed: str | None = None


class OwnSource(Protocol):
    """A source of one's own: what sources.toml names as `module:Class`. It is made with its options."""

    def list(self) -> Iterable[Item]:
        """Return all its documents, in order."""

    def fetch(self, url: str) -> tuple[bytes | str, str]:
        """Return what a document says, and its media type, such as text/markdown."""


def own_source(named: str, options: Mapping[str, Any], folder: Path) -> OwnSource:
    """Return an object of a class that is named `module:Class`, made with its options.

    The module may lie beside the file that names it, in `folder`. Raises SettingError.
    """
    module, _, name = named.partition(":")
    sys.path.append(str(folder))  # last, so that a file there hides no module of others
    try:
        with _blamed(SettingError, f"The source {named}, looked for in {folder} and on Python's path, cannot be made"):
            made: OwnSource = getattr(import_module(module), name)(**options)
    finally:
        sys.path.remove(str(folder))
    if not all(callable(getattr(made, method, None)) for method in ("list", "fetch")):
        raise SettingError(f"The source {named} has no methods `list` and `fetch`. Add them.")
    return made


class Own:
    """A source of one's own as a site. An address that is none of a site gets the name of the source before it."""

    kind: Final = "class"

    def __init__(self, source: OwnSource, *, name: str, max_bytes: int, max_file_bytes: int = 50_000_000) -> None:
        self._source, self._name, self._start = source, name, f"{name}:"
        self._max_bytes, self._max_file_bytes = max_bytes, max_file_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def listing(self) -> Index:
        """Return what the source lists. Raises SourceError if it cannot."""
        with _blamed(SourceError, f"The source {self._name} could not be listed"):
            listed = islice(self._source.list(), _MOST + 1)
            items = [Item(item) if isinstance(item, str) else Item(*item) for item in listed]
        if len(items) > _MOST:
            raise SourceError(f"The source {self._name} lists more than {_MOST:,} documents. Divide it.")
        found: dict[str, Item] = {}
        left_out: list[Link] = []
        for item in items:
            url = self._address(str(item.url))
            if not str(item.url).strip() or not url.isprintable() or split("", url) is None:
                left_out.append(Link(title=str(item.title), url=url, reason="its address is empty or is none"))
            elif found.setdefault(url, item) is not item:
                left_out.append(Link(title=str(item.title), url=url, reason="was listed before"))
        entries = entries_of({url: (urlsplit(url), str(item.title)) for url, item in found.items()})
        told = (
            entry.model_copy(update={"date": _text(item.date), "change": _text(item.changed)})
            for entry, item in zip(entries, found.values(), strict=True)
        )
        return Index(entries=tuple(told), elsewhere=tuple(left_out))

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:  # noqa: ARG002
        """Return what a document says. Raises PageError if the source cannot give it."""
        with _blamed(PageError, f"{url} was not read"):
            content, media_type = self._source.fetch(url.removeprefix(self._start))
            body = content.encode() if isinstance(content, str) else bytes(content)
        if media_type not in MEDIA_TYPES:
            known = ", ".join(sorted(MEDIA_TYPES))
            raise PageError(f"{url} is {media_type!r}, which no reader knows; known are {known}")
        limit = self._max_file_bytes if media_type in FILE_TYPES else self._max_bytes
        if len(body) > limit:
            raise PageError(
                f"{url} is larger than {limit:,} bytes (RAG_MAX_PAGE_BYTES, RAG_MAX_FILE_BYTES)", code="page_too_large"
            )
        charset = "utf-8" if isinstance(content, str) else None
        return Response(200, body, charset, None, None, url, media_type)

    def _address(self, url: str) -> str:
        return url if _SITE.match(url) else self._start + url


@contextmanager
def _blamed(kind: type[RagError], what: str) -> Iterator[None]:
    """Raise an error of a kind for whatever a class of somebody else's raises: it is theirs to mend."""
    try:
        yield
    except RagError:
        raise
    except Exception as error:
        raise kind(f"{what} ({type(error).__name__}: {error})") from error


def _text(value: object) -> str | None:
    return None if value is None else str(value)
