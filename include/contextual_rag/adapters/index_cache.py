"""Index versions on the local disk: downloaded once, verified, opened from there."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp

from contextual_rag import keys
from contextual_rag.adapters.index_files import IndexFiles
from contextual_rag.errors import CorruptObjectError
from contextual_rag.model import Draft
from contextual_rag.ports import ObjectStore

__all__ = ["IndexCache"]

_REPAIR = (
    "`rag build` stores it again where the essays still are what they were then; else ask another version "
    "(`rag versions`) by --version."
)


class IndexCache:
    """A folder of downloaded versions. Several processes may share it: a version appears by one atomic rename."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def open(self, version: Draft) -> IndexFiles:
        """Return a version ready for searching, downloading what is not there yet.

        Raises CorruptObjectError that names the file whose bytes are not the manifest's.
        """
        folder = self._folder / version.version
        if not self._holds(folder, version):
            self._download(folder, version)
        return IndexFiles(folder, version.version, version.recipe)

    def _holds(self, folder: Path, version: Draft) -> bool:
        return all(
            (folder / name).is_file() and _sha256((folder / name).read_bytes()) == file.sha256
            for name, file in version.files.items()
        )

    def _download(self, folder: Path, version: Draft) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = Path(mkdtemp(prefix=f".{version.version}-", dir=self._folder))
        try:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda name: self._fetch(fresh, version, name), version.files))
            try:
                fresh.rename(folder)
            except OSError:
                # Another process was first, or what stood there did not verify: ours does.
                if not self._holds(folder, version):
                    shutil.rmtree(folder, ignore_errors=True)
                    fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _fetch(self, folder: Path, version: Draft, name: str) -> None:
        key = keys.index_file(version.version, name)
        stored = self._store.get(key)
        if stored is None:
            raise CorruptObjectError(f"Index version {version.version} lacks its file {key}. {_REPAIR}")
        if _sha256(stored.body) != version.files[name].sha256:
            raise CorruptObjectError(
                f"{key} is not what the manifest of {version.version} says (sha256 differs). {_REPAIR}"
            )
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored.body)


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
