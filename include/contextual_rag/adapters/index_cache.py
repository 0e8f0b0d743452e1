"""Index versions on the local disk: downloaded once, verified, opened from there.

    <folder>/<version>/…           a whole version
    <folder>/.<version>.partial/…  those of its files that were fetched, until none is lacking
    <folder>/.<version>.lock       held by the one process that downloads, repairs or removes it

A whole version appears by one rename, and a file changes by another taking its name: what a process has
memory-mapped is never written to, and stays readable after its name is gone. Nothing is written outside the folder:
names are compared with their patterns, and links in place of its folders are removed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from contextual_rag import keys
from contextual_rag.adapters.index_files import IndexFiles
from contextual_rag.errors import CorruptObjectError, SettingError, StorageFullError
from contextual_rag.ports import ObjectStore, VectorStore
from contextual_rag.versions.records import Version

__all__ = ["IndexCache"]

_THREADS = 8
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REPAIR = (
    "`rag build` stores it again where the documents still are what they were then; else ask another version "
    "(`rag versions`) by --version."
)


class _Stamp(NamedTuple):
    """What a file was when it had this digest; whoever writes to it or puts another in its place changes the stamp."""

    sha256: str
    inode: int
    size: int
    changed_ns: int


class IndexCache:
    """A folder of downloaded versions, which threads and processes may share.

    After a download, the versions that were opened longest ago are removed while all together take more than
    `max_bytes`. `vectors` returns the store that some versions are searched by words in.
    """

    def __init__(
        self, store: ObjectStore, folder: Path, *, max_bytes: int, vectors: Callable[[], VectorStore] | None = None
    ) -> None:
        self._store = store
        self._vectors = vectors
        self._folder = folder
        self._max_bytes = max_bytes
        # A process hashes a file once and trusts its stamp from then on: hashing hundreds of megabytes at each
        # opening would cost more than the opening. The stamp holds the time of the inode's last change, which cannot
        # be set back as the time of writing can. It is not kept for other processes: a bit that rots on the disk
        # changes no stamp, and is found by the next process that reads it.
        self._trusted: dict[Path, _Stamp] = {}

    def open(self, version: Version) -> IndexFiles:
        """Return a version ready for searching, downloading what is not there or not what the manifest says.

        Raises CorruptObjectError that names the file whose bytes in the store are not the manifest's,
        StorageFullError, or SettingError where the folder cannot be written.
        """
        if not keys.is_version(version.version) or not all(map(keys.is_file, version.files)):
            raise CorruptObjectError(
                f"The manifest of index version {version.version!r} holds a name that no version or file has. {_REPAIR}"
            )
        index = self._open_whole(version)
        if index is None:
            with self._mapped(), self._lock(version.version):
                # Nobody removes the version while its lock is held.
                self._complete(version)
                index = self._files(version)
                self._make_room(version.version)
        now = time.time_ns()
        with suppress(OSError):  # a folder that others have filled may be read-only
            os.utime(self._whole(version.version), ns=(now, now))  # when it was opened last
        return index

    def damaged(self, version: Version) -> list[str]:
        """Hash the whole local copy; return the names of files that are not what the manifest says.

        There are none where the version was not downloaded.
        """
        folder = self._whole(version.version)
        for name in version.files:
            self._trusted.pop(folder / name, None)
        return self._lacking(version) if folder.exists() else []

    def _whole(self, version: str) -> Path:
        return self._folder / version

    def _partial(self, version: str) -> Path:
        return self._folder / f".{version}.partial"

    def _lock(self, version: str, *, blocking: bool = True) -> FileLock:
        return FileLock(self._folder / f".{version}.lock", blocking=blocking)

    def _files(self, version: Version) -> IndexFiles:
        folder = self._whole(version.version)
        return IndexFiles(
            folder,
            version.version,
            version.recipe,
            version.ranking,
            version.collection,
            sources=version.source_names,
            authors=version.authors,
            vectors=self._vectors,
        )

    def _open_whole(self, version: Version) -> IndexFiles | None:
        """Open a version that is there, without waiting for anybody."""
        if self._lacking(version):
            return None
        try:
            return self._files(version)
        except CorruptObjectError:
            return None  # removed by another process between two files: looked at again under the lock

    def _lacking(self, version: Version) -> list[str]:
        folder = self._whole(version.version)
        with ThreadPoolExecutor(_THREADS) as pool:
            good = pool.map(lambda name: self._verifies(folder / name, version.files[name].sha256), version.files)
            return [name for name, is_good in zip(version.files, good, strict=True) if not is_good]

    def _verifies(self, path: Path, sha256: str) -> bool:
        try:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
                stamp = _Stamp(sha256, stat.st_ino, stat.st_size, stat.st_ctime_ns)
                if self._trusted.get(path) == stamp:
                    return True
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    return False
        except OSError:
            return False  # not there, or a disk that can no longer read it: fetched again
        self._trusted[path] = stamp
        return True

    def _complete(self, version: Version) -> None:
        """Fetch what is lacking, and nothing that an earlier attempt has fetched already."""
        whole, partial = self._whole(version.version), self._partial(version.version)
        for root in (whole, partial):
            _remove_links(root, version.files)
        lacking = self._lacking(version)
        if not lacking:
            return  # the process that held the lock before has done it
        partial.mkdir(parents=True, exist_ok=True)
        wanted = [name for name in lacking if not self._verifies(partial / name, version.files[name].sha256)]
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda name: self._fetch(partial, version, name), wanted))
        if whole.exists():
            for name in lacking:
                (whole / name).parent.mkdir(parents=True, exist_ok=True)
                (partial / name).replace(whole / name)
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.rename(whole)

    def _fetch(self, folder: Path, version: Version, name: str) -> None:
        key = keys.index_file(version.version, name)
        stored = self._store.get(key)
        if stored is None:
            raise CorruptObjectError(f"Index version {version.version} lacks its file {key}. {_REPAIR}")
        if hashlib.sha256(stored.body).hexdigest() != version.files[name].sha256:
            raise CorruptObjectError(
                f"{key} is not what the manifest of {version.version} says (sha256 differs). {_REPAIR}"
            )
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.fetched")
        fresh.unlink(missing_ok=True)
        with fresh.open("xb") as file:
            file.write(stored.body)
            # A name that outlives a power cut has its bytes. A name that does not is only fetched again, so no
            # folder is synced.
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def _make_room(self, opened: str) -> None:
        """Remove what downloads that ended early have left, and the versions beyond the bound."""
        for partial in self._folder.glob(".*.partial"):
            version = partial.name[1 : -len(".partial")]
            if version != opened and keys.is_version(version):
                self._remove(version, whole=False)
        taken = _bytes_below(self._whole(opened))
        others = (path for path in self._folder.iterdir() if keys.is_version(path.name) and path.name != opened)
        for folder in sorted(others, key=_opened_at, reverse=True):
            taken += _bytes_below(folder)
            if taken > self._max_bytes:
                self._remove(folder.name, whole=True)
        for path in list(self._trusted):
            if not path.exists():
                self._trusted.pop(path, None)

    def _remove(self, version: str, *, whole: bool) -> None:
        """Remove a version unless another process is at work on it; a removal that is killed leaves a partial one."""
        with suppress(Timeout, OSError), self._lock(version, blocking=False) as lock:
            shutil.rmtree(self._partial(version), ignore_errors=True)
            if whole:
                self._whole(version).rename(self._partial(version))
                shutil.rmtree(self._partial(version), ignore_errors=True)
            # Whoever waits for it notices that the file is gone, and takes a new one.
            Path(lock.lock_file).unlink()

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Raise this project's errors for the disk's."""
        try:
            yield
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise StorageFullError(
                    f"There is no room for an index version in {self._folder} ({error.strerror}). Free some, or set "
                    "RAG_DATA_DIR to a folder on another disk."
                ) from error
            raise SettingError(
                f"Index versions cannot be kept in {self._folder} ({error}). Set RAG_DATA_DIR to a folder that can "
                "be written."
            ) from error


def _remove_links(root: Path, names: Iterable[str]) -> None:
    """Remove links that stand in place of a version's folders: what is written there would be written elsewhere."""
    for folder in sorted({root, *((root / name).parent for name in names)}):
        if folder.is_symlink():
            folder.unlink()


def _opened_at(folder: Path) -> int:
    with suppress(OSError):
        return folder.stat().st_mtime_ns
    return 0


def _bytes_below(folder: Path) -> int:
    """Add up the files of a folder, or what there still is of it: another process may be removing it."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(parent, name).stat().st_size
    return total
