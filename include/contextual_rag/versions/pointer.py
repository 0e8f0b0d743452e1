"""CURRENT, the pointer to the version that answers: read, and changed by compare-and-set.

What CURRENT said is archived before it is replaced, so that it is the newest entry of its own history and no change can
go unrecorded. Nothing but a pruning process changes it while one prunes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Literal, cast

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from contextual_rag import keys
from contextual_rag.errors import ConflictError, CorruptObjectError, UnknownVersionError
from contextual_rag.objects import load, require
from contextual_rag.ports import ObjectStore
from contextual_rag.record import decode, encode
from contextual_rag.versions.lease import DEAD_AFTER_S, is_held, wait_until_free
from contextual_rag.versions.records import Pointer

__all__ = ["Action", "CurrentPointer", "until_first"]

_THREADS = 16

Action = Literal["publish", "promote", "rollback", "pin", "unpin", "prune", "retune"]

# Of many writers at once, each but one looks again; together they need as many rounds as there are writers.
until_first = retry(
    retry=retry_if_exception_type(ConflictError),
    stop=stop_after_attempt(30),
    wait=wait_random_exponential(0.05, 2),
    reraise=True,
)


class CurrentPointer:
    """Holds no state, so any number of processes may have one.

    A pruning process that has given no sign of life for `dead_after_s` is no longer waited for.
    """

    def __init__(self, store: ObjectStore, *, dead_after_s: float = DEAD_AFTER_S) -> None:
        self._store = store
        self._dead_after_s = dead_after_s

    def read(self) -> Pointer | None:
        """Return what CURRENT says, or None if nothing was published yet. Raises CorruptObjectError."""
        found = self._found()
        return found[0] if found else None

    def history(self) -> list[Pointer]:
        """Return what CURRENT said at each change, newest first."""
        current = self.read()  # first: what replaces it meanwhile is archived by then, and leaves no gap
        with ThreadPoolExecutor(_THREADS) as pool:
            past = list(pool.map(lambda key: require(self._store, key, Pointer), self._store.list(keys.HISTORY)))
        # Archived, and then not replaced: the writer was killed or came second.
        past = [pointer for pointer in past if current is None or pointer.n != current.n]
        return sorted([*past, *([current] if current else [])], key=lambda pointer: pointer.n, reverse=True)

    def change(self, action: Action, fields: Callable[[Pointer], dict[str, Any]], *, by: str, why: str) -> Pointer:
        """Replace fields of what CURRENT says, by what it says now; return what it says then.

        `fields` is called again if another writer was first. Raises UnknownVersionError if nothing was published yet.
        """

        def of(pointer: Pointer | None) -> dict[str, Any]:
            if pointer is None:
                raise UnknownVersionError("No index has been published yet. Run `rag build` or the DAG build_index.")
            return fields(pointer)

        return cast("Pointer", self.change_or_not(action, of, by=by, why=why))

    @until_first
    def change_or_not(
        self, action: Action, fields: Callable[[Pointer | None], dict[str, Any] | None], *, by: str, why: str
    ) -> Pointer | None:
        """As `change`, also where nothing was published yet; if `fields` returns None, leave CURRENT as it is."""
        found = self._found()
        changed = fields(found[0] if found else None)
        if changed is None:
            return found[0] if found else None
        # A pruning process chose by what CURRENT said, and recorded that there: either it is seen, or CURRENT changed.
        if is_held(self._store):
            wait_until_free(self._store, dead_after_s=self._dead_after_s)
            raise ConflictError(f"{keys.CURRENT} could not be changed while versions were being pruned. Run it again.")
        return self._replace(found, action, by, why, changed)

    def record_pruning(self, seen: Pointer, versions: list[str], *, by: str, why: str) -> Pointer:
        """Record that versions are about to be removed, which were chosen while CURRENT said what was `seen`.

        Raises ConflictError if it changed since then: what was to be removed may be what answers now.
        """
        found = self._found()
        if found is None or found[0] != seen:
            raise ConflictError(f"{keys.CURRENT} changed while it was decided what to prune. Run it again.")
        tuned = {name: tuning for name, tuning in seen.tuned.items() if name not in versions}
        return self._replace(found, "prune", by, f"{why} (removed {', '.join(versions)})", {"tuned": tuned})

    def _replace(
        self, found: tuple[Pointer, str] | None, action: Action, by: str, why: str, fields: dict[str, Any]
    ) -> Pointer:
        """Archive what CURRENT says and replace it. Raises ConflictError if another writer was first."""
        if found:
            last, kept = found[0].n, {name: getattr(found[0], name) for name in _KEPT}
            kept["before"] = found[0].version
            # Also if a writer that was killed had archived it before: by the age of this object, pruning knows since
            # when another version answers.
            self._store.put(keys.history(last), encode(found[0]))
        else:
            # If CURRENT was deleted because it was damaged, the count goes on.
            last, kept = len(list(self._store.list(keys.HISTORY))), {}
        changed = Pointer(
            **(kept | fields), n=last + 1, action=action, changed_at=datetime.now(UTC), changed_by=by, why=why
        )
        try:
            self._store.swap(keys.CURRENT, encode(changed), expected=found[1] if found else None)
        except ConflictError:
            # If the first answer was lost, the second try was refused because of what the first had written.
            if changed not in (self.read(), load(self._store, keys.history(changed.n), Pointer)):
                raise
        return changed

    def _found(self) -> tuple[Pointer, str] | None:
        stored = self._store.get(keys.CURRENT)
        if stored is None:
            return None
        try:
            return decode(keys.CURRENT, stored.body, Pointer), stored.etag
        except CorruptObjectError as error:
            names = sorted((v for key in self._store.list(keys.INDEXES) if (v := keys.version_of(key))), reverse=True)
            raise CorruptObjectError(
                f"{error} Every version is still there ({', '.join(names[:3])}): ask one with --version, and delete "
                f"{keys.CURRENT} to have `rag build` write it again."
            ) from None


# What a change leaves as it is unless it says otherwise.
_KEPT = ("version", "pinned", "left", "tuned")
