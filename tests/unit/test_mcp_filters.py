"""Each filter, as a client of the Model Context Protocol gives it: what matches, and never what does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client

from contextual_rag.mcp.server import create_server
from contextual_rag.versions.reader import Reader
from tests.memory_world import MemoryWorld

QUESTION = "Who painted the harbour of Skerrow?"
ALL = {"buoy", "ferry", "lamp", "rope"}
_FILES = {
    "north/buoy.md": "---\nauthor: Ann Lee\ndate: 2020-05-01\n---\n\nIvo Lund painted the harbour of Skerrow red.",
    "north/ferry.txt": "Nils Roe painted the harbour of Skerrow green.",
    "south/lamp.md": "---\nauthor: [Bo Ray, Ann Lee]\ndate: 2023-02-03\n---\n\nEva Holt painted the harbour of Skerrow",
    "south/rope.html": '<meta name="author" content="Cy Orr"><p>Uta Falk painted the harbour of Skerrow black.</p>',
}


class Assistant:
    """A client that is connected; it checks each result against the tool's schema."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal, self._client = portal, client

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; return its structured result."""
        return dict(self._portal.call(self._client.call_tool, tool, arguments).structured_content or {})


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """A client of a server over two folders of two files each."""
    folder = tmp_path_factory.mktemp("filters")
    for name, text in _FILES.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (folder / "sources.toml").write_text('[north]\nurl = "./north"\n[south]\nurl = "./south"\n', encoding="utf-8")
    world = MemoryWorld(folder / "world")
    built = world.build(source=str(folder / "sources.toml"))
    assert (built.essays, built.state) == (len(_FILES), "moved"), built.refused
    reader = Reader(world.registry, world.indexes)
    world.reader = reader  # type: ignore[attr-defined]
    server = create_server(world)  # type: ignore[arg-type]
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Client(server)) as client:
        yield Assistant(portal, client)
    reader.close()


@pytest.mark.parametrize(
    ("where", "matching"),
    [
        (None, ALL),
        ({"sources": ["south"]}, {"lamp", "rope"}),
        ({"documents": ["BUOY", "file:south/rope.html"]}, {"buoy", "rope"}),
        ({"authors": ["ann lee"]}, {"buoy", "lamp"}),
        ({"authors": ["Bo Ray", "Cy Orr"]}, {"lamp", "rope"}),
        ({"types": ["md", "txt"]}, {"buoy", "ferry", "lamp"}),
        ({"since": "2021-01-01"}, {"lamp"}),
        ({"until": "2020-05-01"}, {"buoy"}),
        ({"since": "2020-05-02", "until": "2023-02-02"}, set()),
        ({"authors": ["Ann Lee"], "sources": ["north"], "types": ["md"]}, {"buoy"}),
        ({"authors": ["Cy Orr"], "types": ["md"]}, set()),
    ],
)
def test_a_filter_leaves_what_matches_in_each_tool(
    assistant: Assistant, where: dict[str, Any] | None, matching: set[str]
) -> None:
    found = assistant.call("search", query=QUESTION, where=where)
    assert {one["slug"] for one in found["passages"]} == matching
    listed = assistant.call("list_documents", where=where)
    assert ({one["slug"] for one in listed["documents"]}, listed["total"]) == (matching, len(matching))
    answered = assistant.call("ask", question=QUESTION, where=where)
    assert {one["slug"] for one in answered["citations"]} <= matching
    assert (answered["abstained"], not answered["citations"]) == (not matching, not matching)


@pytest.mark.parametrize("tool", ["search", "ask", "list_documents"])
@pytest.mark.parametrize(
    ("where", "code"),
    [
        ({"sources": ["east"]}, "unknown_document_source"),
        ({"documents": ["bouy"]}, "unknown_document"),
        ({"authors": ["Ann"]}, "unknown_document_author"),
        ({"types": ["pdf"]}, "unknown_document_type"),
        ({"since": "2021-01-01", "until": "2020-01-01"}, "question_range"),
    ],
)
def test_a_filter_by_what_is_not_there_is_refused(
    assistant: Assistant, tool: str, where: dict[str, Any], code: str
) -> None:
    asked = {"search": {"query": QUESTION}, "ask": {"question": QUESTION}, "list_documents": {}}[tool]
    assert assistant.call(tool, **asked, where=where)["code"] == code
