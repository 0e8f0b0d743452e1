"""Vectors in Milvus, and words if a recipe says so: a collection for each recipe, the chunk id as primary key."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen.common_pb2 import ErrorCode

from contextual_rag.adapters.milvus_schema import BY_WORDS, ID, VECTOR, WORDS, as_text, create
from contextual_rag.errors import CredentialsError, ServiceUnavailableError, SettingError, StorageFullError
from contextual_rag.model import Words
from contextual_rag.ports import Check, Matrix

__all__ = ["Milvus"]

_ROWS_AT_ONCE = 1000
# The server's own limit on how many rows one search may return.
_MAX_RESULTS = 16_384
# So few rows are compared here sooner than they are found among many others: 2,000 take 0.2 s.
_FEW = 2000
# Equal vectors in different rows of a matrix come to cosines that differ by rounding.
_DECIMALS = 6
# pymilvus pings an idle server every 10 s; a gRPC server allows one in 5 minutes, and ends the connection of a client
# that pings more often (GOAWAY, too_many_pings).
_CHANNEL = {"grpc.keepalive_time_ms": 600_000, "grpc.keepalive_permit_without_calls": False}
# Privileges are 1400 to 1402; 7 and 9 are quotas on disk and on all; 1100 to 1105 are wrong parameters.
_REFUSED = {1400, 1401, 1402, "PermissionDenied", grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
_FULL = {7, 9, "DiskQuotaExhausted", "ForceDeny"}
_WRONG = {*range(1100, 1106), grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED}
_NO_SPACE = re.compile(rf"\[Errno ({errno.ENOSPC}|{errno.EDQUOT})\]")

# pymilvus logs each failed call with a trace before it raises; our error says it once.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)


class Milvus:
    """A `VectorStore`. Connects at the first call; safe to share between threads.

    Collections belong to `owner`, the bucket whose versions they serve: two projects may share a server. `timeout_s`
    bounds each call, pymilvus's own retries included.
    """

    def __init__(self, uri: str, token: str | None = None, *, owner: str = "", timeout_s: float = 30.0) -> None:
        self.uri = uri
        self._timeout_s = timeout_s
        # Other owners may read alike: "a-b/c" and "a/b-c".
        unlike = f"_{hashlib.sha256(owner.encode()).hexdigest()[:8]}" if "/" in owner else ""
        self._owner = re.sub(r"\W", "_", owner) + unlike
        self._token = token
        self._connected: MilvusClient | None = None
        self._loaded: set[str] = set()
        # Of each collection, how many rows the last searches returned that they were not to find.
        self._others: dict[str, int] = {}

    def missing(self, collection: str, ids: Sequence[str]) -> list[str]:
        """Return the ids that the collection does not hold, in the order given."""
        collection = self._named(collection)
        with self._mapped(collection) as client:
            if not client.has_collection(collection, timeout=self._timeout_s):
                return list(ids)
            self._load(client, collection)
            held: set[str] = set()
            for rows in self._rows(client, collection, ids):
                held.update(row[ID] for row in rows)
        return [id_ for id_ in ids if id_ not in held]

    def upsert(self, collection: str, ids: Sequence[str], vectors: Matrix, words: Words | None = None) -> None:
        """Store rows of shape (n, dimension) under their ids, creating the collection where it is new, and flush."""
        collection = self._named(collection)
        with self._mapped(collection) as client:
            create(client, collection, vectors.shape[1], words, self._timeout_s)
            self._load(client, collection)
            for start in range(0, len(ids), _ROWS_AT_ONCE):
                part = slice(start, start + _ROWS_AT_ONCE)
                rows = [{ID: i, VECTOR: v.tolist()} for i, v in zip(ids[part], vectors[part], strict=True)]
                for row, own in zip(rows, words.of_each[part] if words else (), strict=bool(words)):
                    row[WORDS] = as_text(own)
                client.upsert(collection, rows, timeout=self._timeout_s)
            # Rows that are not flushed are searched slowly (milvus-lite: 800 ms over 20,000 of them).
            client.flush(collection, timeout=self._timeout_s)

    def search(self, collection: str, vector: Matrix, k: int, *, among: Collection[str]) -> list[tuple[str, float]]:
        """Return up to k (id, cosine) of the nearest rows, best first, that are in `among`.

        The collection may hold other rows too, so more are fetched until k of these are found. If these are few, or too
        far away, they are compared one by one instead. Equal scores are ordered by id.
        """
        collection = self._named(collection)
        with self._mapped(collection) as client:
            self._open(client, collection)
            # What a search costs is what it returns. One more than k shows whether equal ones end at k.
            most = min(2 * k, _MAX_RESULTS)
            limit = min(k + 1 + 3 * self._others.get(collection, 0), most)
            while True:
                asked = {"metric_type": "COSINE", "params": {"ef": max(64, 2 * k, limit)}}
                hits = self._asked(client, collection, VECTOR, vector.tolist(), limit, search_params=asked)
                kept = [hit for hit in hits if hit[0] in among]
                is_short, has_more = len(kept) < min(k, len(among)), len(hits) == limit
                self._others[collection] = max(len(hits) - len(kept), self._others.get(collection, 0) // 2)
                if limit < most and has_more and (len(kept) <= k or kept[k - 1][1] == kept[k][1]):
                    limit = most
                    continue
                if is_short and has_more and len(among) > _FEW and limit < _MAX_RESULTS:
                    limit = min(4 * limit, _MAX_RESULTS)
                    continue
                if is_short and (has_more or len(among) <= _FEW):
                    kept = list(self._compared(client, collection, vector, list(among)))
                return sorted(kept, key=lambda hit: (-hit[1], hit[0]))[:k]

    def search_words(
        self, collection: str, words: Sequence[str], k: int, *, among: Collection[str]
    ) -> list[tuple[str, float]]:
        """Return up to k (id, BM25 score) of rows in `among` that have one of the words, best first.

        Words are as rare as in the whole collection. Equal scores are ordered by id.
        """
        if not words or not among:
            return []
        collection = self._named(collection)
        asked, only = {"metric_type": "BM25", "params": {}}, ""
        with self._mapped(collection) as client:
            self._open(client, collection)
            limit = min(2 * k, _MAX_RESULTS)
            while True:
                text = as_text(words)
                found = self._asked(client, collection, BY_WORDS, text, limit, filter=only, search_params=asked)
                # The embedded server has the opposite of each score.
                hits = sorted(((id_, abs(score)) for id_, score in found), key=lambda hit: (-hit[1], hit[0]))
                kept = [hit for hit in hits if hit[0] in among]
                # Equal ones at k may go on after the last that was returned.
                is_whole = len(kept) >= k and kept[k - 1][1] > hits[-1][1]
                if is_whole or len(hits) < limit or limit == _MAX_RESULTS:
                    return kept[:k]
                limit = min(4 * limit, _MAX_RESULTS)
                if len(among) <= _FEW:
                    only = f"{ID} in {json.dumps(sorted(among))}"

    def _asked(
        self, client: MilvusClient, collection: str, field: str, asked: list[float] | str, limit: int, **how: Any
    ) -> list[tuple[str, float]]:
        """Return what one search returns: ids and scores, best first."""
        found = client.search(
            collection,
            data=[asked],
            limit=limit,
            anns_field=field,
            output_fields=[],
            timeout=self._timeout_s,
            consistency_level="Strong",
            **how,
        )[0]
        # Each hit as an object takes four times as long as the server's whole answer.
        return list(zip(map(str, found.ids), map(float, found.distances), strict=True))

    def _compared(
        self, client: MilvusClient, collection: str, vector: Matrix, ids: Sequence[str]
    ) -> Iterator[tuple[str, float]]:
        """Return (id, cosine) of all these rows, in no order."""
        for rows in self._rows(client, collection, ids, VECTOR):
            if rows:
                matrix = np.array([row[VECTOR] for row in rows], np.float32)
                cosines = np.round(matrix @ vector, _DECIMALS).tolist()
                yield from zip((str(row[ID]) for row in rows), cosines, strict=True)

    def _rows(
        self, client: MilvusClient, collection: str, ids: Sequence[str], *fields: str
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of these ids that are there, in parts."""
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            yield client.get(
                collection,
                ids=list(ids[start : start + _ROWS_AT_ONCE]),
                output_fields=[ID, *fields],
                timeout=self._timeout_s,
                consistency_level="Strong",
            )

    def count(self, collection: str) -> int:
        """Return the number of rows; 0 where there is no such collection."""
        collection = self._named(collection)
        with self._mapped(collection) as client:
            if not client.has_collection(collection, timeout=self._timeout_s):
                return 0
            self._load(client, collection)
            found = client.query(
                collection, filter="", output_fields=["count(*)"], timeout=self._timeout_s, consistency_level="Strong"
            )
            return int(found[0]["count(*)"])

    def collections(self) -> list[str]:
        """Return the names of all collections of this owner."""
        prefix = self._named("")
        with self._mapped("the list of collections") as client:
            names: list[str] = client.list_collections(timeout=self._timeout_s)
        return sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def ids(self, collection: str) -> list[str]:
        """Return the ids of all rows, in no order; none where there is no such collection."""
        collection = self._named(collection)
        found: list[str] = []
        with self._mapped(collection) as client:
            if not client.has_collection(collection, timeout=self._timeout_s):
                return found
            self._load(client, collection)
            # A query returns 16,384 rows at most; an iterator any number.
            rows = client.query_iterator(
                collection,
                batch_size=_ROWS_AT_ONCE,
                filter="",
                output_fields=[ID],
                timeout=self._timeout_s,
                consistency_level="Strong",
            )
            try:
                while part := rows.next():
                    found += [row[ID] for row in part]
            finally:
                rows.close()
        return found

    def delete(self, collection: str, ids: Sequence[str], *, check: Check | None = None) -> None:
        """Remove rows; one that is not there is no error. `check` is called right before each request."""
        collection = self._named(collection)
        with self._mapped(collection) as client:
            self._load(client, collection)
            for start in range(0, len(ids), _ROWS_AT_ONCE):
                if check:
                    check()
                client.delete(collection, ids=list(ids[start : start + _ROWS_AT_ONCE]), timeout=self._timeout_s)
            client.flush(collection, timeout=self._timeout_s)

    def drop(self, collection: str, *, check: Check | None = None) -> None:
        """Remove a collection with all its rows; one that is not there is no error. `check` is called before."""
        collection = self._named(collection)
        with self._mapped(collection) as client:
            if check:
                check()
            client.drop_collection(collection, timeout=self._timeout_s)
            self._loaded.discard(collection)

    def ping(self) -> str:
        """Return the server's version."""
        with self._mapped("the server itself") as client:
            return str(client.get_server_version(timeout=self._timeout_s))

    def _named(self, collection: str) -> str:
        # A name must begin with a letter or underscore.
        return f"_{self._owner}_{collection}" if self._owner else collection

    def _open(self, client: MilvusClient, collection: str) -> None:
        # Asked once: a search of what was dropped since then fails by itself.
        if collection not in self._loaded and not client.has_collection(collection, timeout=self._timeout_s):
            raise ServiceUnavailableError(
                f"Milvus at {self.uri} has no collection {collection}, which the index needs. Run `rag build`."
            )
        self._load(client, collection)

    def _load(self, client: MilvusClient, collection: str) -> None:
        # After a restart of milvus-lite a collection is there but not loaded.
        if collection not in self._loaded:
            client.load_collection(collection, timeout=self._timeout_s)
            self._loaded.add(collection)

    @contextmanager
    def _mapped(self, collection: str) -> Iterator[MilvusClient]:
        """Hand out the connected client and raise this project's errors for the library's."""
        try:
            if self._connected is None:
                self._connected = MilvusClient(
                    self.uri, token=self._token or "", timeout=min(5.0, self._timeout_s), grpc_options=_CHANNEL
                )
            yield self._connected
        except (MilvusException, grpc.RpcError, ConnectionError, ValueError) as error:
            # A server that was restarted has forgotten what was loaded.
            self._loaded.clear()
            text = " ".join(str(getattr(error, "message", error)).split())[:300]
            where = f"Milvus at {self.uri}, collection {collection}"
            codes = _codes(error)
            if codes & _REFUSED:
                raise CredentialsError(f"{where}: our token was refused. Set MILVUS_TOKEN.") from error
            # milvus-lite has one code for everything, but passes on what the system says.
            if codes & _FULL or _NO_SPACE.match(text):
                raise StorageFullError(f"{where}: no room left ({text}). Free some and run again.") from error
            if codes & _WRONG:
                raise SettingError(
                    f"{where}: the server refused a request ({text}). Set MILVUS_URI to a server that can do this."
                ) from error
            raise ServiceUnavailableError(
                f"{where}: {text or type(error).__name__}. Start it (`rag up`) or set MILVUS_URI."
            ) from error


def _codes(error: Exception) -> set[object]:
    """Return what an error is called: Milvus's own code (pkg/util/merr), its older one, or that of gRPC."""
    if isinstance(error, MilvusException):
        older = ErrorCode.Name(error.compatible_code) if error.compatible_code in ErrorCode.values() else None
        return {error.code, older}
    return {error.code()} if isinstance(error, grpc.Call) else set()
