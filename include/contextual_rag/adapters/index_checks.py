"""Checks of an index version's files, before a search could fail over damaged ones or read outside their memory."""

from __future__ import annotations

from struct import unpack_from

import bm25s
import numpy as np
import pyarrow as pa

__all__ = ["check_arrays", "kind_of"]


def kind_of(message: pa.ipc.Message) -> str:
    """Return what a message is, and whether it is compressed: a few bytes could then stand for any number."""
    metadata = message.metadata.to_pybytes()

    def field(table: int, number: int) -> int:
        """Return where a field of a FlatBuffers table is, 0 if it has none."""
        vtable = table - unpack_from("<i", metadata, table)[0]
        entry = 4 + 2 * number
        has_entry = entry < unpack_from("<H", metadata, vtable)[0]
        offset: int = unpack_from("<H", metadata, vtable + entry)[0] if has_entry else 0
        return table + offset if offset else 0

    def pointed(place: int) -> int:
        return place + int(unpack_from("<I", metadata, place)[0])

    # Message.header, and in a record batch RecordBatch.compression: Message.fbs of the Arrow format.
    header = field(pointed(0), 2)
    is_compressed = message.type == "record batch" and field(pointed(header), 3)
    return f"compressed {message.type}" if is_compressed else str(message.type)


def check_arrays(bm25: bm25s.BM25, rows: int) -> None:
    """Raise ValueError where a search would fail, or find a row for a word that is not there."""
    data, indices, indptr, documents = (bm25.scores[name] for name in ("data", "indices", "indptr", "num_docs"))
    if documents != rows:
        raise ValueError(f"the keyword index has {documents} rows, the chunk table {rows}")
    kinds = (bm25.dtype, bm25.int_dtype, data.dtype, indices.dtype.kind, indptr.dtype.kind)
    if kinds != ("float32", "int32", np.float32, "i", "i"):
        raise ValueError("the keyword index holds numbers of another type")
    if sorted(bm25.vocab_dict.values()) != list(range(len(indptr) - 1)):
        raise ValueError("the keyword index has columns for other words than its vocabulary")
    ends = np.diff(indptr, prepend=0, append=len(data))
    if indptr[0] or (ends < 0).any() or ends[-1] or len(indices) != len(data):
        raise ValueError("the columns of the keyword index do not follow each other")
    if len(indices) and not 0 <= indices.min() <= indices.max() < rows:
        raise ValueError("the keyword index refers to rows that are not there")
