"""Every error this project raises, grouped by what the caller does next.

    RagError
    ├── FatalError               a person must act; the same call fails again
    │   ├── SettingError         a setting is missing or wrong
    │   ├── MissingExtraError    a part of the project whose libraries are not installed
    │   ├── CredentialsError     a service refused our key
    │   ├── ModelError           the provider does not know or cannot serve a named model
    │   ├── SourceError          the source cannot be followed (empty, shrunk, forbidden host)
    │   ├── CorruptObjectError   a stored object does not say what it must
    │   ├── UnknownVersionError  no such index version, or none yet
    │   ├── UnknownDocumentError no such document in a version, or none of such a source or type
    │   ├── UnknownSnapshotError a past day of a source that no snapshot is stored of
    │   ├── UnknownThreadError   no such conversation, or somebody else's
    │   ├── UnknownTurnError     no such question in a conversation of theirs
    │   ├── QuestionError        a question that cannot be asked: empty, too long, its id used for another one
    │   ├── UploadError          a file that cannot be uploaded: its type, its size, or one too many
    │   ├── RequestError         a request that the page's server does not accept
    │   ├── GateError            a version is not good enough to be published
    │   ├── BudgetError          the next request might cost more than the run may still spend
    │   └── StorageFullError     a service has no room left
    ├── RetriableError           the same call may succeed later
    │   ├── ServiceUnavailableError   object store, Milvus or model provider is down or overloaded
    │   ├── ConflictError             another writer was first
    │   └── PageUnavailableError      (also skippable) the site answers 5xx, 429 or not at all
    └── SkippableError           this essay alone is left out; the others go on
        ├── PageError            the page is gone, too large, or not allowed
        ├── PageUnavailableError
        ├── EmptyDocumentError   no essay was found in the page
        └── RefusalError         the model refused or answered nothing

The scheduler's retry policy is one rule over the three groups, and adapters map every error of a lower library
to one of these leaves. Messages say what happened, to which object, and the repair; they never hold a secret.
Programs and tests read an error's class and `code`, never its message; docs/errors.md lists the codes.
"""

from __future__ import annotations

__all__ = [
    "BudgetError",
    "ConflictError",
    "CorruptObjectError",
    "CredentialsError",
    "EmptyDocumentError",
    "FatalError",
    "GateError",
    "MissingExtraError",
    "ModelError",
    "PageError",
    "PageUnavailableError",
    "QuestionError",
    "RagError",
    "RefusalError",
    "RequestError",
    "RetriableError",
    "ServiceUnavailableError",
    "SettingError",
    "SkippableError",
    "SourceError",
    "StorageFullError",
    "UnknownDocumentError",
    "UnknownSnapshotError",
    "UnknownThreadError",
    "UnknownTurnError",
    "UnknownVersionError",
    "UploadError",
]


class RagError(Exception):
    """The root of the tree above.

    `code` tells programs what happened. It stays the same when the message is rewritten. A raise site may give a more
    specific code, which begins with the code of its class: `page_too_large` is a PageError.
    """

    code: str = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code  # in the instance's dictionary, which pickle and copy take along


class FatalError(RagError):
    """A person must act; the same call fails again."""

    code = "fatal"


class SettingError(FatalError):
    """A setting is missing or wrong; the message names it and where it is read from."""

    code = "setting"


class MissingExtraError(FatalError, ImportError):
    """A part of the project needs libraries that are not installed; the message names the extra that brings them."""

    code = "missing_extra"


class CredentialsError(FatalError):
    """A service refused our key; the message names the setting, never its value."""

    code = "credentials"


class ModelError(FatalError):
    """The provider does not know a named model, or the model cannot do what was asked."""

    code = "model"


class SourceError(FatalError):
    """The source cannot be followed."""

    code = "source"


class CorruptObjectError(FatalError):
    """A stored object does not say what it must; the message names its key."""

    code = "corrupt_object"


class UnknownVersionError(FatalError):
    """No such index version, or nothing published yet."""

    code = "unknown_version"


class UnknownDocumentError(FatalError):
    """No such document in an index version, or none of such a source or type; the message names those near it."""

    code = "unknown_document"


class UnknownSnapshotError(FatalError):
    """Neither that day's pages nor those of an earlier day are stored, so the day cannot be built."""

    code = "unknown_snapshot"


class UnknownThreadError(FatalError):
    """No such conversation, or it is somebody else's: a reader is not told which."""

    code = "unknown_thread"


class UnknownTurnError(FatalError):
    """No such question in a conversation that the reader may see."""

    code = "unknown_turn"


class QuestionError(FatalError):
    """A question that cannot be asked as it is."""

    code = "question"


class UploadError(FatalError):
    """A file that cannot be uploaded as it is."""

    code = "upload"


class RequestError(FatalError):
    """A request that the page's server does not accept: its sender, its form or its size."""

    code = "request"


class GateError(FatalError):
    """A version is not good enough to be published; the message holds the figures."""

    code = "gate"


class BudgetError(FatalError):
    """The next request might cost more than the run may still spend; the message holds the figures."""

    code = "budget"


class StorageFullError(FatalError):
    """A service has no room left; free some and run again."""

    code = "storage_full"


class RetriableError(RagError):
    """The same call may succeed later."""

    code = "retriable"


class ServiceUnavailableError(RetriableError):
    """Object store, Milvus or model provider is down or overloaded."""

    code = "service_unavailable"


class ConflictError(RetriableError):
    """Another writer was first."""

    code = "conflict"


class SkippableError(RagError):
    """This essay alone is left out; the others go on."""

    code = "skippable"


class PageError(SkippableError):
    """The page is gone, too large, or not allowed."""

    code = "page"


class PageUnavailableError(RetriableError, SkippableError):
    """The site answers 5xx, 429 or not at all: tried again first, then left out."""

    code = "page_unavailable"


class EmptyDocumentError(SkippableError):
    """No essay was found in the page."""

    code = "empty_document"


class RefusalError(SkippableError):
    """The model refused or answered nothing."""

    code = "refusal"
