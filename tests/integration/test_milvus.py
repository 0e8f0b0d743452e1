"""The vector store where writers meet: whoever is first makes the collection, and all of them fill it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient

from contextual_rag.adapters.milvus import Milvus
from contextual_rag.embedded.services import Services
from contextual_rag.errors import ServiceUnavailableError
from tests.raising import raising

WRITERS = 4
ROWS = np.eye(WRITERS, dtype=np.float32)


@pytest.mark.parametrize("race", range(5))
def test_writers_who_make_one_collection_at_once_all_fill_it(stores: Services, race: int) -> None:
    together = Barrier(WRITERS)

    def write(n: int) -> None:
        store = Milvus(stores.environment["MILVUS_URI"], owner=f"race{race}")
        store.ping()
        together.wait()
        store.upsert("rows", [f"id{n}"], ROWS[n : n + 1])

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    store = Milvus(stores.environment["MILVUS_URI"], owner=f"race{race}")
    everything = [f"id{n}" for n in range(WRITERS)]
    assert store.missing("rows", everything) == []
    assert [id_ for id_, _ in store.search("rows", ROWS[2], 1, among=everything)] == ["id2"]


def test_a_collection_whose_maker_was_killed_before_its_index_is_finished(stores: Services) -> None:
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("chunk_id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=WRITERS)
    client = MilvusClient(stores.environment["MILVUS_URI"])
    client.create_collection("_killed_rows", schema=schema)
    assert client.list_indexes("_killed_rows") == []
    store = Milvus(stores.environment["MILVUS_URI"], owner="killed")
    store.upsert("rows", ["id0"], ROWS[:1])
    assert [id_ for id_, _ in store.search("rows", ROWS[0], 1, among=["id0"])] == ["id0"]
    assert client.list_indexes("_killed_rows") == ["embedding"]
    client.close()


def test_a_search_of_what_another_process_dropped_is_an_error_and_of_what_it_made_again_is_none(
    stores: Services,
) -> None:
    ours, theirs = (Milvus(stores.environment["MILVUS_URI"], owner="dropped") for _ in range(2))
    ours.upsert("rows", ["id0"], ROWS[:1])
    assert [id_ for id_, _ in ours.search("rows", ROWS[0], 1, among=["id0"])] == ["id0"]
    theirs.drop("rows")
    for _ in range(2):
        with raising(ServiceUnavailableError, "service_unavailable", "rows"):
            ours.search("rows", ROWS[0], 1, among=["id0"])
    theirs.upsert("rows", ["id1"], ROWS[:1])
    assert [id_ for id_, _ in ours.search("rows", ROWS[0], 1, among=["id1"])] == ["id1"]


@pytest.mark.parametrize(("foreign", "most"), [(0, 101), (6, 150)])
def test_a_search_asks_for_few_more_rows_than_it_is_to_find(
    stores: Services, monkeypatch: pytest.MonkeyPatch, foreign: int, most: int
) -> None:
    limits, search = [], MilvusClient.search

    def asked(client: MilvusClient, *given: Any, limit: int, **how: Any) -> Any:
        limits.append(limit)
        return search(client, *given, limit=limit, **how)

    monkeypatch.setattr(MilvusClient, "search", asked)
    rows = np.random.default_rng(3).standard_normal((600, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = [f"{n:03}" for n in range(600)]
    store = Milvus(stores.environment["MILVUS_URI"], owner=f"few{foreign}")
    store.upsert("rows", names, rows)
    # Those that another version alone has are among the nearest to what is asked.
    nearest = np.argsort(-rows @ rows[0], kind="stable")
    among = set(names) - {names[n] for n in nearest[1 : 1 + foreign]}
    expected = [names[n] for n in nearest if names[n] in among][:100]
    for _ in range(8):
        assert [id_ for id_, _ in store.search("rows", rows[0], 100, among=among)] == expected
    assert sorted(limits)[len(limits) // 2] <= most
    assert len(limits) <= 10
    store.drop("rows")
