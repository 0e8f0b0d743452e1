"""The keys of all objects in the bucket: one function for each kind. No other module writes a key.

    1_pages/<sha256>                              bytes of a page, as served
    1_pages/fetched/<order>/<batch>.json          the pages that a batch of an order has fetched
    1_pages/snapshots/<source>/<date>.json        the page of each document of a source on a day
    2_documents/<digest>.json                     one document as text
    3_chunks/<digest>.json                        its chunks
    4_contexts/<digest>.json                      an explanation for each chunk
    4_contexts/kept/<digest>.json                 all explanations of a document, stored as soon as each is made
    5_embeddings/<digest>.npy                     a row for each chunk
    6_indexes/orders/<digest>.json                what a run does, decided once
    6_indexes/plans/<order>.json                  what an order makes of each document; decided once
    6_indexes/building/<order>.json               the sign of life of an order while a process works on it
    6_indexes/spending/<digest>.json              what a run with a budget has spent
    6_indexes/<version>/…                         one immutable index version; complete when manifest.json exists
    6_indexes/CURRENT                             the current version, and changed rankings of versions
    6_indexes/history/<n>.json                    what CURRENT said before its nth change
    6_indexes/days/<date>/<recipe>.json           the version of a recipe on a day
    6_indexes/PRUNING                             the lease of the process that prunes
    uploads/<person>/<sha256>/<name>              a file that a person uploaded
    asking/<server>/<process>                     a process that asks this server of models now
    questions.jsonl                               questions that measure each version, beside those from its essays

A digest is taken over the inputs, so an object that exists need not be made again. The key of a document is a digest of
the parsed text, not of the page's bytes: if only the markup of a page changes, nothing after it changes.

Whoever can write to the bucket may have written any name into a record, and anybody may ask for any version. So names
are compared with the patterns below before they become a key, a path or an expression: no name leaves its folder.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from urllib.parse import unquote, urlsplit

__all__ = [
    "BUILDING",
    "CHUNK_ID",
    "COLLECTION",
    "CURRENT",
    "DAYS",
    "FETCHED",
    "FILE",
    "HISTORY",
    "INDEXES",
    "ORDERS",
    "PART",
    "PLANS",
    "PROBE",
    "PRUNING",
    "QUESTIONS",
    "SNAPSHOTS",
    "SOURCE_NAME",
    "STAGES",
    "TABLE",
    "UPLOADS",
    "asker",
    "building",
    "chunks",
    "contexts",
    "digest",
    "document",
    "draft",
    "embeddings",
    "fetched",
    "held",
    "held_on",
    "history",
    "index_file",
    "index_of",
    "is_file",
    "is_version",
    "kept_contexts",
    "manifest",
    "order",
    "page",
    "page_digest",
    "plan",
    "probe",
    "snapshot",
    "snapshot_of",
    "source_name",
    "spending",
    "upload",
    "upload_of",
    "version_of",
]

STAGES: Final = ("1_pages/", "2_documents/", "3_chunks/", "4_contexts/", "5_embeddings/")
INDEXES: Final = "6_indexes/"
CURRENT: Final = f"{INDEXES}CURRENT"
HISTORY: Final = f"{INDEXES}history/"
DAYS: Final = f"{INDEXES}days/"
ORDERS: Final = f"{INDEXES}orders/"
PLANS: Final = f"{INDEXES}plans/"
BUILDING: Final = f"{INDEXES}building/"
PRUNING: Final = f"{INDEXES}PRUNING"
FETCHED: Final = "1_pages/fetched/"
SNAPSHOTS: Final = "1_pages/snapshots/"
QUESTIONS: Final = "questions.jsonl"
UPLOADS: Final = "uploads/"
TABLE: Final = "chunks.arrow"
PROBE: Final = "doctor"
SOURCE_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
# One part of a key or a path: a digest, a slug, the name of a version.
PART: Final = r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,199}$"
# A file of a version. Its folder is one level deep at most, and no two names differ by case alone.
FILE: Final = r"^([a-z0-9][a-z0-9._-]{0,99}/)?[a-z0-9][a-z0-9._-]{0,99}$"
CHUNK_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9._~/-]{0,63}$"
COLLECTION: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,199}$"

_VERSION: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9a-f]{8}"
_READABLE: Final = 80


def digest(*parts: Any) -> str:
    """Return the first 32 hex digits of the sha256 over the parts as canonical JSON."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def page_digest(body: bytes) -> str:
    """Return the sha256 of a page's bytes, 64 hex digits."""
    return hashlib.sha256(body).hexdigest()


def source_name(url: str) -> str:
    """Return the default name of a source: host and path of its address, each "/" as "-"; of a folder, its own name.

    A hash follows if the name would be too long or if another address could have it: if there is a query, or the
    path has a "-" or characters that a name cannot have. A folder's always has one.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        own = re.sub(r"[^A-Za-z0-9._-]+", "-", unquote(parts.path.rpartition("/")[2])).strip("-._")[:_READABLE]
        return f"{own or 'folder'}-{hashlib.sha256(parts.path.encode()).hexdigest()[:8]}"
    whole = f"{parts.netloc.rpartition('@')[2]}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", whole).strip("-._")
    if name and len(name) <= _READABLE and not parts.query and re.fullmatch(r"[A-Za-z0-9._/]*", parts.path):
        return name
    return f"{name[:_READABLE].strip('-._') or 'source'}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def page(sha256: str) -> str:
    """Bytes of a page, as served."""
    return f"1_pages/{sha256}"


def fetched(order_: str, slugs: Sequence[str] = ()) -> str:
    """The pages that a batch of an order has fetched; without slugs, the prefix of all its batches."""
    return f"{FETCHED}{order_}/" + (f"{digest(list(slugs))}.json" if slugs else "")


def snapshot(source: str, day: date) -> str:
    """The page of each document of a source on a day."""
    return f"{SNAPSHOTS}{source}/{day.isoformat()}.json"


def snapshot_of(key: str) -> tuple[str, date] | None:
    """Return source and day of a snapshot's key, or None if it is none.

    The source is empty in keys of release 0.1.0, which had none.
    """
    source, _, name = key.removeprefix(SNAPSHOTS).rpartition("/")
    day = _day(name.removesuffix(".json"))
    return (source, day) if day and (not source or re.fullmatch(SOURCE_NAME, source)) else None


def order(digest_: str) -> str:
    """What a run does."""
    return f"{ORDERS}{digest_}.json"


def plan(order_: str) -> str:
    """What an order makes of each document."""
    return f"{PLANS}{order_}.json"


def probe(name: str) -> str:
    """An object with which conditional writes are tried out."""
    return f"{PROBE}/{name}"


def asker(server: str, process: str = "") -> str:
    """A process that asks a server of models now; without its name, where they all stand."""
    return f"asking/{server}/{process}"


def upload(person: str, sha256: str = "", name: str = "") -> str:
    """A file that a person uploaded; without digest or name, the prefix of all such."""
    return f"{UPLOADS}{person}/" + (f"{sha256}/{name}" if sha256 else "")


def upload_of(key: str) -> tuple[str, str, str] | None:
    """Return person, digest and name of an upload's key, or None if it is none."""
    match = re.fullmatch(rf"{UPLOADS}([0-9a-f]{{32}})/([0-9a-f]{{64}})/([^/]+)", key)
    return (match[1], match[2], match[3]) if match else None


def building(order_: str) -> str:
    """The sign of life of an order while a process works on it."""
    return f"{BUILDING}{order_}.json"


def history(n: int) -> str:
    """What CURRENT said as its nth change; sorts by n."""
    return f"{HISTORY}{n:08}.json"


def held(day: date, fingerprint: str) -> str:
    """The version of a recipe on a day."""
    return f"{DAYS}{day.isoformat()}/{fingerprint}.json"


def held_on(key: str) -> tuple[date, str] | None:
    """Return the day and the recipe's fingerprint of such a key, or None if it is none."""
    name, _, fingerprint = key.removeprefix(DAYS).removesuffix(".json").partition("/")
    day = _day(name)
    return (day, fingerprint) if day and re.fullmatch(PART, fingerprint) else None


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name) if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", name) else None
    except ValueError:
        return None


def spending(digest_: str) -> str:
    """What a run with a budget has spent."""
    return f"{INDEXES}spending/{digest_}.json"


def document(digest_: str) -> str:
    """One document as text."""
    return f"2_documents/{digest_}.json"


def chunks(digest_: str) -> str:
    """The chunks of a document."""
    return f"3_chunks/{digest_}.json"


def contexts(digest_: str) -> str:
    """The contexts of a document's chunks."""
    return f"4_contexts/{digest_}.json"


def kept_contexts(scope: str, model: str, prompt: str) -> str:
    """All contexts that a document got from a model and a prompt.

    `scope` is the document's address, so that an edited document finds the contexts of unchanged chunks; or the
    document's digest, if each edition gets new contexts.
    """
    return f"4_contexts/kept/{digest(scope, model, prompt)}.json"


def embeddings(digest_: str) -> str:
    """The embeddings of a document's chunks."""
    return f"5_embeddings/{digest_}.npy"


def index_file(version: str, name: str) -> str:
    """A file of an index version."""
    return f"{INDEXES}{version}/{name}"


def draft(version: str) -> str:
    """The result of `assemble`, for `publish`; not part of the version."""
    return index_file(version, "draft.json")


def manifest(version: str) -> str:
    """The file that makes a prefix a version."""
    return index_file(version, "manifest.json")


def is_version(name: str) -> bool:
    """Whether a name can be that of an index version."""
    return re.fullmatch(_VERSION, name) is not None


def is_file(name: str) -> bool:
    """Whether a name can be that of a file of a version."""
    return re.fullmatch(FILE, name) is not None


def version_of(key: str) -> str | None:
    """Return the version whose manifest this key is, or None."""
    match = re.fullmatch(rf"{INDEXES}({_VERSION})/manifest\.json", key)
    return match[1] if match else None


def index_of(key: str) -> str | None:
    """Return the version, published or not, to whose folder this key belongs, or None."""
    match = re.match(rf"{INDEXES}({_VERSION})/", key)
    return match[1] if match else None
