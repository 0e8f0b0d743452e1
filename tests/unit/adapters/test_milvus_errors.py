"""What a Milvus server's errors become: by their codes, and never by the words of their messages."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc

from contextual_rag.adapters.milvus import Milvus
from contextual_rag.errors import CredentialsError, RagError, ServiceUnavailableError, SettingError, StorageFullError
from tests.raising import raising


class Server(milvus_pb2_grpc.MilvusServiceServicer):  # type: ignore[misc]
    """A server that lets everybody connect, and answers what is planned."""

    status = common_pb2.Status()
    abort: tuple[grpc.StatusCode, str] | None = None

    def Connect(self, *_: Any) -> Any:
        return milvus_pb2.ConnectResponse(identifier=1)

    def GetVersion(self, _: Any, context: grpc.ServicerContext) -> Any:
        if self.abort:
            context.abort(*self.abort)
        return milvus_pb2.GetVersionResponse(status=self.status, version="2.6.16")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Server, Milvus]]:
    """A server and its client."""
    server, servicer = grpc.server(ThreadPoolExecutor(2)), Server()
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, Milvus(f"http://127.0.0.1:{port}", timeout_s=5)
    server.stop(None).wait()


@pytest.fixture
def server(running: tuple[Server, Milvus]) -> Server:
    """The server, of which nothing is planned."""
    running[0].status, running[0].abort = common_pb2.Status(), None
    return running[0]


@pytest.fixture
def milvus(running: tuple[Server, Milvus]) -> Milvus:
    """Its client."""
    return running[1]


def test_a_server_that_answers_is_no_error(server: Server, milvus: Milvus) -> None:
    assert milvus.ping() == "2.6.16"


@pytest.mark.parametrize(
    ("code", "reason", "kind", "name"),
    [
        (1400, "not authenticated", CredentialsError, "credentials"),
        (1401, "privilege not permitted", CredentialsError, "credentials"),
        (7, "disk limit exceeded", StorageFullError, "storage_full"),
        (9, "quota exceeded", StorageFullError, "storage_full"),
        (1, "[Errno 28] No space left on device: 'wal'", StorageFullError, "storage_full"),
        (1100, "invalid index type: DISKANN is not supported", SettingError, "setting"),
        (1, "DISKANN is not supported", ServiceUnavailableError, "service_unavailable"),
        (65535, "no space for a field called author", ServiceUnavailableError, "service_unavailable"),
        (100, "collection of authors without permission not found", ServiceUnavailableError, "service_unavailable"),
        (2, "disk not mounted yet", ServiceUnavailableError, "service_unavailable"),
    ],
)
def test_an_error_is_what_its_code_says(
    server: Server, milvus: Milvus, code: int, reason: str, kind: type[RagError], name: str
) -> None:
    server.status = common_pb2.Status(code=code, error_code=common_pb2.UnexpectedError, reason=reason)
    with raising(kind, name, milvus.uri):
        milvus.ping()


@pytest.mark.parametrize(
    ("status", "kind", "name"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, CredentialsError, "credentials"),
        (grpc.StatusCode.PERMISSION_DENIED, CredentialsError, "credentials"),
        (grpc.StatusCode.INVALID_ARGUMENT, SettingError, "setting"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ServiceUnavailableError, "service_unavailable"),
    ],
)
def test_so_is_one_of_the_connection(
    server: Server, milvus: Milvus, status: grpc.StatusCode, kind: type[RagError], name: str
) -> None:
    server.abort = (status, "the author has a disk")
    with raising(kind, name, milvus.uri):
        milvus.ping()
