"""Sources → sites: which client reads what a source's address names, and what a run may not choose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from contextual_rag.building.order import source_of
from contextual_rag.errors import SettingError, SourceError
from contextual_rag.model import Source
from contextual_rag.ports import ObjectStore, Site
from contextual_rag.settings import Settings
from contextual_rag.sources.configured import Configured, address_of, file_of, read_sources
from contextual_rag.sources.crawl import Crawl
from contextual_rag.sources.folder import Folder, folder_of
from contextual_rag.sources.own import Own, own_source
from contextual_rag.sources.prefix import Prefix, bucket_of
from contextual_rag.sources.uploads import UPLOADS, Uploads

__all__ = ["Sites"]

_FILE, _FOLDER, _BUCKET = "a file of this machine", "a folder of this machine", "a bucket"


class Sites:
    """Opens sources. Only if `any_source`, a run may name what the settings do not: what is on this machine or in a
    bucket, or a site with a private address.

    `web` opens a site, which may have a private address if its second argument says so; `bucket` a `bucket/prefix`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        any_source: bool,
        web: Callable[[str, bool], Site],
        bucket: Callable[[str], ObjectStore],
    ) -> None:
        self._settings, self._any_source = settings, any_source
        self._web, self._bucket = web, bucket

    def sources(self, source: str) -> tuple[Source, ...]:
        """The sources that a file names; none if the address is not that of such a file. Uploads stand beside what the
        settings name.

        Raises SettingError that names what is wrong in it.
        """
        found = self._configured(source)
        several = tuple(Source(name=name, url=one.address) for name, one in found.items())
        if not self._settings.uploads or address_of(source) != address_of(self._settings.source_url):
            return several
        if UPLOADS.name in found:
            raise SettingError(
                f"RAG_UPLOADS is on, so no source may be named {UPLOADS.name!r}. Rename it in {file_of(source)}.",
                code="setting_sources",
            )
        return (*(several or (source_of(self._settings),)), UPLOADS)

    def open(self, source: str, part: Source | None = None) -> Site:
        """A client for a source, or for `part` of what a file names. Raises SettingError or SourceError."""
        if part == UPLOADS:
            return Uploads(self._bucket(self._settings.bucket))
        one = self._configured(source).get(part.name) if part else None
        url = part.url if part else source
        # An order that was decided before the file was changed says which source it meant.
        is_configured = one is not None and one.address == url
        most = {"max_bytes": self._settings.max_page_bytes, "max_file_bytes": self._settings.max_file_bytes}
        if part and url.startswith("class:"):
            if one is None or not one.own or not is_configured:
                raise SettingError(f"{source} does not name {url} as {part.name} any more.", code="setting_sources")
            made = own_source(one.own, one.options, (file_of(source) or Path()).parent)
            return Own(made, name=part.name, **most)
        if folder := folder_of(url):
            self._allow(url, _FOLDER, is_configured=is_configured)
            return Folder(folder, name=part.name if part and one else None, **most)
        if bucket := bucket_of(url):
            self._allow(url, _BUCKET, is_configured=is_configured)
            return Prefix(self._bucket(bucket), bucket, **most)
        is_own = self._any_source or is_configured or _origin(url) == _origin(self._settings.source_url)
        site = self._web(url, is_own)
        return Crawl(site, url, **one.crawl.model_dump()) if one and one.crawl else site

    def _configured(self, source: str) -> dict[str, Configured]:
        file = file_of(source)
        if file is None:
            return {}
        self._allow(source, _FILE)
        return dict(read_sources(file))

    def _allow(self, source: str, what: str, *, is_configured: bool = False) -> None:
        if not (self._any_source or is_configured or address_of(source) == address_of(self._settings.source_url)):
            raise SourceError(
                f"{source!r} is {what}, which a run may not choose. Set RAG_SOURCE_URL to it.", code="source_folder"
            )


def _origin(url: str) -> list[str]:
    """Return scheme, host and port: what stands before the third slash."""
    return url.split("/")[:3]
