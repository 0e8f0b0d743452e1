"""A folder of this machine as a site: its files are pages, whose addresses are relative to it.

`file:notes/a.md` is the file `a.md` of a folder `notes`, wherever that is: the address is what readers are shown.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote, unquote, urlsplit

from contextual_rag import keys
from contextual_rag.errors import EmptyDocumentError, PageError, SourceError
from contextual_rag.model import Entry
from contextual_rag.ports import Response
from contextual_rag.readers.containers import contained
from contextual_rag.readers.index_page import Index, Link, hashed
from contextual_rag.readers.registry import FILE_TYPES, TYPE_OF_SUFFIX, lacking_extra, unknown_type

__all__ = ["Folder", "escaped", "folder_of", "named_files", "source_address"]

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}")
_MOST_FILES = 20_000


def folder_of(source: str) -> Path | None:
    """Return the folder that a source names: a file: address, or a path that begins with /, ./, ../ or ~.

    Raises SourceError if it names one that cannot be.
    """
    try:
        if source.lower().startswith("file:"):
            parts = urlsplit(source)
            if parts.netloc not in {"", "localhost"}:
                raise ValueError("it names another machine")
            return Path(unquote(parts.path)).resolve()
        if source in {".", "..", "~"} or source.startswith(("/", "./", "../", "~/")):
            return Path(source).expanduser().resolve()
    except (ValueError, RuntimeError, OSError) as error:
        raise SourceError(f"{source!r} is not a folder of this machine ({error}).") from error
    return None


def source_address(source: str) -> str:
    """Return the address of a source: of a folder, the same one however it is named."""
    folder = folder_of(source)
    return folder.as_uri() if folder else source


class Folder:
    """The files of a folder that a reader knows. Those that change have another `etag`, a digest of their bytes.

    Their addresses begin with its own name, or with the one that it has among several sources.
    """

    kind: Final = "folder"

    def __init__(
        self, root: Path, *, max_bytes: int, max_file_bytes: int = 50_000_000, name: str | None = None
    ) -> None:
        self._root, self._max_bytes, self._max_file_bytes = root, max_bytes, max_file_bytes
        self._start = f"file:{escaped(name or root.name)}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:  # noqa: ARG002
        """Return a file of the folder. Raises PageError for whatever else an address names."""
        if not url.startswith(self._start):
            raise PageError(f"{url} was not read: it is not in the folder")
        relative = unquote(url.removeprefix(self._start))
        try:
            found = self._read(relative)
        except PageError as error:
            raise PageError(f"{url} was not read: {error}") from error
        tag = f'"{keys.page_digest(found)}"'
        known = tag == etag
        kind = TYPE_OF_SUFFIX[Path(relative).suffix.lower()]
        return Response(304 if known else 200, b"" if known else found, None, tag, None, url, kind)

    def listing(self) -> Index:
        """Return the files, in the order of their paths, and what is left out, with the reason.

        Raises SourceError if the folder cannot be read or has too many files.
        """
        names, left_out = [], []
        for relative, reason in self._walked():
            try:
                if reason:
                    raise PageError(reason)
                self._read(relative)
                names.append(relative)
            except PageError as error:
                shown = os.fsencode(relative).decode(errors="replace")
                left_out.append(Link(title=shown, url=self._url(relative), reason=str(error)))
        return Index(entries=tuple(named_files(names, self._url)), elsewhere=tuple(left_out))

    def _url(self, relative: str) -> str:
        return self._start + escaped(relative)

    def _walked(self) -> Iterator[tuple[str, str | None]]:
        """Yield what is below the folder, and why it is not even looked into, if so."""

        def stop(error: OSError) -> None:
            if Path(error.filename) == self._root:
                raise SourceError(f"The folder {self._root} cannot be read ({error.strerror}). Nothing was changed.")
            unread.append(Path(error.filename).relative_to(self._root).as_posix())

        unread: list[str] = []
        count = 0
        for folder, folders, files in os.walk(self._root, onerror=stop):
            below = Path(folder).relative_to(self._root)
            for name in sorted((*folders, *files)):
                path, relative = below / name, (below / name).as_posix()
                if name.startswith("."):
                    yield relative, "hidden: its name begins with a dot"
                elif name in files:
                    yield relative, None
                elif (self._root / path).is_symlink():
                    yield relative, "a link to a folder"
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            count += len(files)
            if count > _MOST_FILES:
                raise SourceError(f"The folder {self._root} has more than {_MOST_FILES:,} files. Name a smaller one.")
        yield from ((name, "a folder that cannot be read: see its permissions") for name in unread)

    def _read(self, relative: str) -> bytes:
        """Return the bytes of a file. Raises PageError that says why it is left out, without its name."""
        path = Path(relative)
        if not relative.isprintable():
            raise PageError("its name has characters that cannot be shown")
        if any(part.startswith(".") for part in path.parts):
            raise PageError("hidden: its name begins with a dot")
        kind = TYPE_OF_SUFFIX.get(path.suffix.lower())
        if kind is None:
            raise PageError(unknown_type(path.suffix))
        is_file = kind in FILE_TYPES
        limit, setting = (
            (self._max_file_bytes, "RAG_MAX_FILE_BYTES") if is_file else (self._max_bytes, "RAG_MAX_PAGE_BYTES")
        )
        try:
            body = self._bytes(path, limit)
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or "its links lead in a circle"
            raise PageError(f"cannot be read ({reason})") from error
        if len(body) > limit:
            raise PageError(f"larger than {limit:,} bytes ({setting})")
        if not body.strip():
            raise PageError("empty")
        try:
            inside = contained(body)
        except EmptyDocumentError as error:
            raise PageError(str(error)) from error
        if why := lacking_extra(inside or kind):
            raise PageError(why)
        # A page says itself how it is encoded.
        if not inside and not is_file and kind != "text/html" and not _is_text(body):
            raise PageError("not UTF-8 text: save it as such")
        return body

    def _bytes(self, path: Path, limit: int) -> bytes:
        real = (self._root / path).resolve(strict=True)
        if not real.is_relative_to(self._root):
            raise PageError("a link that leaves the folder")
        inside = real.relative_to(self._root)
        if inside != path and not any(part.startswith(".") for part in inside.parts):
            raise PageError(f"a link to {inside.as_posix()}, which is listed itself")
        # A link that took the file's place since is not followed, and a pipe is not waited for.
        opened = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(opened, "rb") as file:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise PageError("not a file")
            return file.read(limit + 1)


def named_files(names: Sequence[str], url_of: Callable[[str], str]) -> Iterator[Entry]:
    """Yield an entry for each path below a folder."""
    stems = Counter(Path(name).stem.casefold() for name in names if "/" not in name)
    for name in names:
        url, stem = url_of(name), Path(name).stem
        # In another folder the same name may come at any time, which must not rename this one.
        is_plain = "/" not in name and _PLAIN.fullmatch(stem) and stems[stem.casefold()] == 1
        yield Entry(slug=stem if is_plain else hashed(urlsplit(url), stem), url=url, title=stem)


def escaped(name: str) -> str:
    """Return a name as part of an address that people can read."""
    if not name.isprintable():
        return quote(os.fsencode(name))
    return name.replace("%", "%25").replace("?", "%3F").replace("#", "%23")


def _is_text(body: bytes) -> bool:
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
