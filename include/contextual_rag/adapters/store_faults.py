"""What the errors of an object store mean: this project's errors for those of the library that speaks to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from contextual_rag.errors import (
    ConflictError,
    CredentialsError,
    ServiceUnavailableError,
    SettingError,
    StorageFullError,
)

__all__ = ["MISSING", "Faults", "code_of", "is_refused", "is_undecided"]

MISSING = {"404", "NoSuchKey", "NotFound"}
_CONFLICT = {"PreconditionFailed", "412"}
# Another write of the same object is under way: whether this one may be made is not decided yet.
_UNDECIDED = {"ConditionalRequestConflict", "OperationAborted", "409"}
_REFUSED = {
    "AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId",
    "InvalidClientTokenId", "InvalidIdentityToken", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired",
    "UnrecognizedClientException", "403",
}  # fmt: skip
_FULL = {"EntityTooLarge", "InsufficientStorage", "StorageFull", "XMinioStorageFull", "QuotaExceeded", "507"}
_BUSY = {"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown"}
_NO_CREDENTIALS = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)


class Faults:
    """The errors of one bucket at an endpoint."""

    def __init__(self, bucket: str, endpoint: str) -> None:
        self._bucket, self._endpoint = bucket, endpoint

    @contextmanager
    def mapped(self, key: str) -> Iterator[None]:
        """Raise this project's errors for the library's."""
        try:
            yield
        except ClientError as error:
            self.raise_for(error, key)
        except _NO_CREDENTIALS as error:
            raise CredentialsError(
                f"No key for the object store at {self._endpoint} ({type(error).__name__}: {error}). Set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role."
            ) from error
        except (BotoCoreError, HTTPClientError) as error:
            raise ServiceUnavailableError(
                f"The object store at {self._endpoint} does not answer ({type(error).__name__}, on {key}). Start it "
                "(`rag up`) or set AWS_ENDPOINT_URL."
            ) from error

    def raise_for(self, error: ClientError, key: str) -> NoReturn:
        """Raise what an answer that is an error means for an object, or for several."""
        code = code_of(error)
        if code in MISSING and error.operation_name == "PutObject":
            # Compare-and-set of an object that was deleted meanwhile.
            raise ConflictError(f"Another writer was first: {key} is gone.") from error
        what = f"{code} on {key} in bucket {self._bucket} at {self._endpoint}"
        if code in _UNDECIDED:
            raise ServiceUnavailableError(f"Others write at the same moment: {what}. Run it again.") from error
        if code in _CONFLICT:
            raise ConflictError(f"Another writer was first: {what}.") from error
        if code in _REFUSED:
            raise CredentialsError(
                f"The object store refused our key: {what}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to keys "
                "that may read and write the bucket (or AWS_PROFILE). A role's token may have expired, or this "
                "machine's clock be wrong."
            ) from error
        if code == "NoSuchBucket":
            raise SettingError(f"There is no such bucket: {what}. Create it or set RAG_BUCKET.") from error
        if code in _FULL:
            raise StorageFullError(f"The object store has no room: {what}. Free some and run again.") from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or code in _BUSY:  # noqa: PLR2004
            raise ServiceUnavailableError(
                f"The object store could not serve {what} (HTTP {status}); its disk may be full."
            ) from error
        raise SettingError(f"The object store refused a request: {what} (HTTP {status}).") from error


def is_refused(error: BaseException) -> bool:
    """Whether the store refused a key, or a request that came too late."""
    return isinstance(error, ClientError) and code_of(error) in _REFUSED


def is_undecided(error: BaseException) -> bool:
    """Whether the store did not decide a conditional write, because of another one."""
    return isinstance(error.__cause__, ClientError) and code_of(error.__cause__) in _UNDECIDED


def code_of(error: ClientError) -> str:
    """Return the store's word for an error; the empty text if it says none."""
    return error.response.get("Error", {}).get("Code", "")
