"""Uploads by the API: store a file, see what became of it, remove it."""

from __future__ import annotations

from typing import Annotated, Final

from anyio import CapacityLimiter, fail_after, to_thread
from fastapi import Query, Request
from pydantic import BaseModel

from contextual_rag.conversation.model import Indexing
from contextual_rag.uploads import Shelf, Uploaded
from streamlit_app.api_access import Asker, admit
from streamlit_app.api_errors import RefusedError
from streamlit_app.services import services

__all__ = ["LONGEST_NAME", "Uploads", "list_uploads", "remove_upload", "upload", "uploads_are_on"]

LONGEST_NAME: Final = 10_000
# Each body is in memory as a whole until it is stored.
_BODIES: Final = CapacityLimiter(4)
_LONGEST_S: Final = 120.0


class Uploads(BaseModel):
    """A client's uploads, newest first; `indexing` is how far the build that reads them is, or what the last came to.

    `leaving` counts everybody's documents that were removed and still answer, until that build is over.
    """

    uploads: list[Uploaded]
    indexing: Indexing | None
    leaving: int


def uploads_are_on() -> None:
    """Raise RefusedError if nothing may be uploaded."""
    if not services().settings.uploads:
        raise RefusedError("Uploads are off. Set RAG_UPLOADS=true on the server.", 403, code="request_uploads")


async def upload(
    request: Request,
    who: Asker,
    name: Annotated[str, Query(min_length=1, max_length=LONGEST_NAME, description="The file's name.")],
) -> Uploaded:
    """Store a file, and let it be indexed. The body is the file, as `application/octet-stream`.

    It answers questions once the next version is published. A file that you have already is not stored again.
    """
    shelf = await to_thread.run_sync(_admitted, request, who)
    shelf.check(name, int(request.headers.get("content-length", "0")))
    most, body = shelf.limit(name), bytearray()
    try:
        async with _BODIES:
            with fail_after(_LONGEST_S):
                async for part in request.stream():
                    body += part
                    if len(body) > most:
                        break
            stored = await to_thread.run_sync(shelf.add, who, name, bytes(body))
    except TimeoutError:
        raise RefusedError("The file took too long to arrive. Send it again.", 408, code="request_slow") from None
    await to_thread.run_sync(services().conversations.index_uploads)
    return stored


def _admitted(request: Request, who: str | None) -> Shelf:
    admit(request, who, "uploads")
    return services().world.shelf


def list_uploads(who: Asker) -> Uploads:
    """Return your uploads, and how far they are."""
    shelf = services().world.shelf
    return Uploads(uploads=shelf.of(who), indexing=services().conversations.indexing(), leaving=shelf.leaving())


def remove_upload(upload: str, who: Asker) -> None:
    """Remove a file. Its document answers until the next version is published; earlier versions keep it."""
    services().world.shelf.remove(who, upload)
    services().conversations.index_uploads()
