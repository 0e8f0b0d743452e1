"""Where everything stands in the bucket: one function per kind of object, and nothing else names a key.

    1_pages/<sha256>                      bytes of a page, as served
    1_pages/fetched/<slug>.json           the last good page of an essay, with ETag and Last-Modified
    1_pages/snapshots/<date>.json         which page every essay had on a day
    1_pages/listings/<digest>.json        the essays that a build is about
    2_documents/<digest>.json             one essay as text
    3_chunks/<digest>.json                its chunks
    4_contexts/<digest>.json              an explanation for each chunk
    5_embeddings/<digest>.npy             a row for each chunk
    6_indexes/plans/<digest>.json         what a build set out to do
    6_indexes/spending/<digest>.json      what a run with a budget has spent
    6_indexes/<version>/…                 one immutable index version; whole once manifest.json is there
    6_indexes/CURRENT                     the version that answers
    6_indexes/history/<n>.json            what CURRENT said before its nth change
    6_indexes/days/<date>/<recipe>.json   which version of a recipe held on a day
    6_indexes/PRUNING                     who is removing what nothing refers to
    questions.jsonl                       what each version is measured with, beside questions from its essays

A digest is taken over what went in, so an object that exists need not be made again. A document's key is taken over
what was parsed and not over the page's bytes, so that a page whose markup alone changed changes nothing after it.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from typing import Any

__all__ = [
    "CURRENT",
    "DAYS",
    "FETCHED",
    "HISTORY",
    "INDEXES",
    "PLANS",
    "PROBE",
    "PRUNING",
    "QUESTIONS",
    "SNAPSHOTS",
    "SPENDING",
    "STAGES",
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
    "listing",
    "manifest",
    "page",
    "page_digest",
    "plan",
    "snapshot",
    "snapshot_date",
    "spending",
    "version_of",
]

STAGES = ("1_pages/", "2_documents/", "3_chunks/", "4_contexts/", "5_embeddings/")
INDEXES = "6_indexes/"
CURRENT = f"{INDEXES}CURRENT"
HISTORY = f"{INDEXES}history/"
DAYS = f"{INDEXES}days/"
PLANS = f"{INDEXES}plans/"
SPENDING = f"{INDEXES}spending/"
PRUNING = f"{INDEXES}PRUNING"
FETCHED = "1_pages/fetched/"
SNAPSHOTS = "1_pages/snapshots/"
QUESTIONS = "questions.jsonl"
PROBE = "doctor"


def digest(*parts: Any) -> str:
    """Return the first 32 hex digits of the sha256 over the parts as canonical JSON."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def page_digest(body: bytes) -> str:
    """Return the sha256 of a page's bytes, 64 hex digits."""
    return hashlib.sha256(body).hexdigest()


def page(sha256: str) -> str:
    """Bytes of a page, as served."""
    return f"1_pages/{sha256}"


def fetched(slug: str) -> str:
    """The last good page of an essay."""
    return f"{FETCHED}{slug}.json"


def snapshot(day: date) -> str:
    """Which page every essay had on a day."""
    return f"{SNAPSHOTS}{day.isoformat()}.json"


def snapshot_date(key: str) -> date:
    """Return the day of a snapshot's key."""
    return date.fromisoformat(key.removeprefix(SNAPSHOTS).removesuffix(".json"))


def listing(digest_: str) -> str:
    """The essays that a build is about."""
    return f"1_pages/listings/{digest_}.json"


def plan(digest_: str) -> str:
    """What a build set out to do."""
    return f"{PLANS}{digest_}.json"


def history(n: int) -> str:
    """What CURRENT said as its nth change; sorts by n."""
    return f"{HISTORY}{n:08}.json"


def held(day: date, fingerprint: str) -> str:
    """Which version of a recipe held on a day."""
    return f"{DAYS}{day.isoformat()}/{fingerprint}.json"


def held_on(key: str) -> tuple[date, str]:
    """Return the day and the recipe's fingerprint of such a key."""
    day, fingerprint = key.removeprefix(DAYS).removesuffix(".json").split("/")
    return date.fromisoformat(day), fingerprint


def spending(digest_: str) -> str:
    """What a run with a budget has spent."""
    return f"{SPENDING}{digest_}.json"


def document(digest_: str) -> str:
    """One essay as text."""
    return f"2_documents/{digest_}.json"


def chunks(digest_: str) -> str:
    """The chunks of an essay."""
    return f"3_chunks/{digest_}.json"


def contexts(digest_: str) -> str:
    """The contexts of an essay's chunks."""
    return f"4_contexts/{digest_}.json"


def embeddings(digest_: str) -> str:
    """The embeddings of an essay's chunks."""
    return f"5_embeddings/{digest_}.npy"


def index_file(version: str, name: str) -> str:
    """A file of an index version."""
    return f"{INDEXES}{version}/{name}"


def draft(version: str) -> str:
    """What `assemble` found out, kept for `publish`; not part of the version."""
    return index_file(version, "draft.json")


def manifest(version: str) -> str:
    """The file whose presence makes a prefix a version."""
    return index_file(version, "manifest.json")


def version_of(key: str) -> str | None:
    """Return the version whose manifest this key is, or None."""
    match = re.fullmatch(rf"{INDEXES}([^/]+)/manifest\.json", key)
    return match[1] if match else None


def index_of(key: str) -> str | None:
    """Return the version in whose folder this key is, published or not, or None."""
    match = re.match(rf"{INDEXES}(\d{{4}}-\d\d-\d\d-[0-9a-f]{{8}})/", key)
    return match[1] if match else None
