"""What the page's server logs: no question, and no conversation."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from tests.app.conftest import KEYS
from tests.conversing import Conversing

QUESTION = "Zanzibar"
THREAD = "thread-8d41c9"


def test_neither_a_question_nor_a_conversation_is_in_the_log(running: Conversing) -> None:
    with running.api(authorization=f"Bearer {KEYS[0]}") as anna:
        anna.get(f"{running.url}/", params={"thread": THREAD, "question": QUESTION})
        anna.get("/search", params={"q": QUESTION})
        anna.get(f"/threads/{THREAD}")
        anna.post("/ask", json={"question": QUESTION, "thread": THREAD})
        anna.post("/ask", content=f'{{"question": "{QUESTION}", "thread": 1, '.encode())
    where = urlsplit(running.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=10) as connection:
        connection.sendall(
            f"GET /_stcore/stream?thread={THREAD} HTTP/1.1\r\nHost: {where.netloc}\r\nOrigin: {running.url}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert b"101" in connection.recv(64)
    assert "the page: http" in running.page.said
    assert not [line for line in running.page.said.splitlines() if QUESTION in line or THREAD in line]
