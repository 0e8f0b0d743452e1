"""What people upload: stored, listed with what became of it, and removed. The next build reads it as one more source.

There is no record beside the files: whose one is, and what it is called, its key says; whether it answers, the current
version; why it could not be read, the last snapshot.
"""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Lock
from typing import Literal

from rich.filesize import decimal

from contextual_rag import keys
from contextual_rag.building.snapshots import latest
from contextual_rag.errors import UnknownDocumentError, UploadError
from contextual_rag.ports import ObjectStore
from contextual_rag.readers.registry import FILE_TYPES, TYPE_OF_SUFFIX
from contextual_rag.record import Record
from contextual_rag.settings import Settings
from contextual_rag.sources.uploads import (
    UPLOADS,
    Upload,
    document_id,
    file_name,
    is_upload,
    suffix_of,
    uploads_below,
)
from contextual_rag.versions.records import Manifest
from contextual_rag.versions.registry import Registry

__all__ = ["Shelf", "Uploaded"]


class Uploaded(Record):
    """A file of a person. It `waits` for a build, `answers`, or has `failed` for a `reason`.

    If it answers, `slug` names its document in the current version.
    """

    id: str
    name: str
    size: int
    uploaded_at: datetime
    state: Literal["waits", "answers", "failed"] = "waits"
    reason: str | None = None
    slug: str | None = None


class Shelf:
    """The uploads in a bucket. Safe to share between threads.

    `owner` is the person, as in conversations; all people without a login are one.
    """

    def __init__(self, store: ObjectStore, registry: Registry, settings: Settings) -> None:
        self._store, self._registry, self._settings = store, registry, settings
        # Of two files at once, the second is counted after the first is there.
        self._adding = Lock()

    @property
    def types(self) -> list[str]:
        """What the names of files may end in."""
        chosen = {f".{one.lower().lstrip('.')}" for one in self._settings.upload_types}
        return sorted(end for end in TYPE_OF_SUFFIX if not chosen or end in chosen)

    @property
    def allowed(self) -> str:
        """What may be uploaded, in words for people."""
        # Of a format with several endings the usual one, which comes first; of languages of code none.
        usual = {TYPE_OF_SUFFIX[end]: end for end in reversed(TYPE_OF_SUFFIX)}
        code = usual.pop(TYPE_OF_SUFFIX[".py"])
        known = self.types if self._settings.upload_types else [*sorted(usual.values()), f"source code such as {code}"]
        sizes = sorted({self._most(end)[0] for end in self.types})
        return f"{', '.join(known)}. The most is {' or '.join(map(decimal, sizes))}, by type."

    def limit(self, name: str) -> int:
        """Return how many bytes a file of this name may have. Raises UploadError if its type is not read."""
        return self._most(self._suffix(name))[0]

    def _suffix(self, name: str) -> str:
        suffix = suffix_of(given := file_name(name))
        if suffix not in self.types:
            ending = f"files that end in {suffix}" if suffix else "files without an ending"
            raise UploadError(
                f"{given} was not stored: {ending} cannot be uploaded. What can: {self.allowed}", code="upload_type"
            )
        return suffix

    def _most(self, suffix: str) -> tuple[int, str]:
        """Return how many bytes such a file may have, and the setting that says so."""
        if TYPE_OF_SUFFIX[suffix] in FILE_TYPES:
            return self._settings.max_file_bytes, "RAG_MAX_FILE_BYTES"
        return self._settings.max_page_bytes, "RAG_MAX_PAGE_BYTES"

    @property
    def largest(self) -> int:
        """How many bytes a file of any type may have."""
        return max((self._most(end)[0] for end in self.types), default=0)

    def check(self, name: str, size: int) -> None:
        """Raise UploadError if a file of this name and size cannot be uploaded."""
        most, setting = self._most(self._suffix(name))
        if size > most:
            raise UploadError(
                f"{file_name(name)} was not stored: it has {size:,} bytes, and files of its type may have {most:,} "
                f"({setting}).",
                code="upload_size",
            )
        if not size:
            raise UploadError(f"{file_name(name)} was not stored: it is empty.", code="upload_empty")

    def add(self, owner: str | None, name: str, body: bytes) -> Uploaded:
        """Store a file; one that the person has already stays as it is. Raises UploadError."""
        self.check(name, len(body))
        sha256, person = keys.page_digest(body), _person(owner)
        with self._adding:
            mine = list(uploads_below(self._store, keys.upload(person)))
            known = next((one for one in mine if one.sha256 == sha256), None)
            if known is None:
                self._check_room(mine)
                key = keys.upload(person, sha256, file_name(name))
                self._store.put_new(key, body)
                known = Upload(key, sha256, file_name(name), len(body), datetime.now(UTC))
        return self._described([known])[0]

    def _check_room(self, mine: list[Upload]) -> None:
        per_person, most = self._settings.uploads_per_person, self._settings.uploads_most
        if len(mine) >= per_person:
            raise UploadError(
                f"You have {len(mine)} uploads, the most that are allowed (RAG_UPLOADS_PER_PERSON). Remove one first.",
                code="upload_count",
            )
        if sum(1 for _ in self._store.list(keys.UPLOADS)) >= most:
            raise UploadError(
                f"There are {most} uploads of all people, the most that are allowed (RAG_UPLOADS_MOST).",
                code="upload_count",
            )

    def of(self, owner: str | None) -> list[Uploaded]:
        """Return what a person uploaded, newest first."""
        mine = sorted(uploads_below(self._store, keys.upload(_person(owner))), key=lambda one: one.at, reverse=True)
        return self._described(mine)

    def remove(self, owner: str | None, id_: str) -> None:
        """Remove a file. Raises UnknownDocumentError if the person has none of this id."""
        mine = uploads_below(self._store, keys.upload(_person(owner)))
        if not (found := [one.key for one in mine if one.id == id_]):
            raise UnknownDocumentError("You have no such upload. It may have been removed already.")
        self._store.delete(found)

    def leaving(self) -> int:
        """Return how many documents the current version has whose files were removed."""
        if not (documents := _documents(self._current())):
            return 0
        return len(documents.keys() - {one.id for one in uploads_below(self._store, keys.UPLOADS)})

    def _described(self, uploads: list[Upload]) -> list[Uploaded]:
        if not uploads:
            return []
        slugs, reasons = _documents(self._current()), self._reasons()
        described = []
        for one in uploads:
            slug, reason = slugs.get(one.id), reasons.get(one.id)
            described.append(
                Uploaded(
                    id=one.id,
                    name=one.name,
                    size=one.size,
                    uploaded_at=one.at,
                    state="answers" if slug else "failed" if reason else "waits",
                    reason=None if slug else reason,
                    slug=slug,
                )
            )
        return described

    def _current(self) -> Manifest | None:
        pointer = self._registry.current()
        return self._registry.manifest(pointer.version) if pointer else None

    def _reasons(self) -> dict[str, str]:
        """Return why documents could not be read, or what came after, by their ids."""
        read, current = latest(self._store, UPLOADS, datetime.now(UTC).date()), self._current()
        failed = (*(read.failed if read else ()), *(current.failed if current else ()))
        # Whoever uploaded it knows which file it is.
        return {
            id_: one.reason.removeprefix(f"no text was read in {one.slug!r} ({one.url}): ")
            for one in failed
            if (id_ := document_id(one.url))
        }


def _documents(version: Manifest | None) -> dict[str, str]:
    """Return the slugs of the uploaded documents of a version, by their ids."""
    essays = version.essays if version else ()
    return {document_id(essay.url) or "": essay.slug for essay in essays if is_upload(essay.url)}


def _person(owner: str | None) -> str:
    return keys.digest("uploads", owner or "")
