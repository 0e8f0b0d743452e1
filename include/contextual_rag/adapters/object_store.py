"""The bucket, through S3's API: any store with conditional writes (`If-None-Match`, `If-Match`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING, NoReturn

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contextual_rag.errors import (
    ConflictError,
    CredentialsError,
    ServiceUnavailableError,
    SettingError,
    StorageFullError,
)
from contextual_rag.ports import Check, Described, Stored, unchecked

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["Bucket", "preload"]

_MISSING = {"404", "NoSuchKey", "NotFound"}
_CONFLICT = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "ExpiredToken", "InvalidToken"}
_FULL = {"EntityTooLarge", "InsufficientStorage", "StorageFull", "XMinioStorageFull", "QuotaExceeded", "507"}
_DELETE_AT_ONCE = 1000


def preload() -> None:
    """Read what the SDK reads from disk for its first client, so that processes forked from this one need not."""
    boto3.client("s3", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106


class Bucket:
    """An `ObjectStore`. Safe to share between threads; make one for each process.

    `timeout_s` bounds each wait for an answer; what may pass is tried `attempts` times.
    """

    def __init__(
        self,
        name: str,
        *,
        endpoint: str | None,
        access_key: str,
        secret_key: str,
        region: str,
        connections: int = 16,
        timeout_s: float = 60.0,
        attempts: int = 4,
    ) -> None:
        self.name = name
        self.endpoint = endpoint or "AWS"
        try:
            self._s3: S3Client = boto3.client(
                "s3",
                endpoint_url=endpoint,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
                region_name=region,
                config=Config(
                    connect_timeout=min(5.0, timeout_s),
                    read_timeout=timeout_s,
                    max_pool_connections=connections,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    s3={"addressing_style": "path"},
                ),
            )
        except ValueError as error:
            raise SettingError(f"AWS_ENDPOINT_URL is not a URL of an object store: {error}") from None
        self._local = local()
        # By then the request is made and signed, so that as little as possible happens between the check and the store.
        self._s3.meta.events.register("before-send.s3.DeleteObjects", self._check)

    def ensure(self) -> None:
        """Create the bucket unless it is there."""
        with self._mapped("the bucket itself"):
            try:
                self._s3.head_bucket(Bucket=self.name)
            except ClientError as error:
                if _code(error) not in _MISSING | {"NoSuchBucket"}:
                    raise
                self._s3.create_bucket(Bucket=self.name)

    def get(self, key: str) -> Stored | None:
        """Return the object, or None where there is none."""
        with self._mapped(key):
            try:
                answer = self._s3.get_object(Bucket=self.name, Key=key)
                body, etag = answer["Body"].read(), answer.get("ETag")
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
        if not etag:
            raise SettingError(
                f"{self.endpoint} answers as no object store does ({key} came without an ETag). Set AWS_ENDPOINT_URL."
            )
        return Stored(body, etag)

    def put(self, key: str, body: bytes) -> None:
        """Store the object, replacing what was there."""
        with self._mapped(key):
            self._s3.put_object(Bucket=self.name, Key=key, Body=body)

    def put_new(self, key: str, body: bytes) -> bool:
        """Store the object unless one is there; False where one was."""
        try:
            with self._mapped(key):
                self._s3.put_object(Bucket=self.name, Key=key, Body=body, IfNoneMatch="*")
        except ConflictError:
            return False
        return True

    def swap(self, key: str, body: bytes, *, expected: str | None) -> str:
        """Replace the object whose tag is `expected`, or create it where None; else ConflictError. Return its tag."""
        with self._mapped(key):
            if expected is None:
                answer = self._s3.put_object(Bucket=self.name, Key=key, Body=body, IfNoneMatch="*")
            else:
                answer = self._s3.put_object(Bucket=self.name, Key=key, Body=body, IfMatch=expected)
        return answer["ETag"]

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        with self._mapped(key):
            try:
                self._s3.head_object(Bucket=self.name, Key=key)
            except ClientError as error:
                if _code(error) in _MISSING:
                    return False
                raise
        return True

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix, in lexicographic order."""
        for found in self.describe(prefix):
            yield found.key

    def describe(self, prefix: str) -> Iterator[Described]:
        """Yield what stands below a prefix, in lexicographic order of its keys."""
        with self._mapped(prefix):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield Described(item["Key"], item["Size"], item["LastModified"])

    def delete(self, keys: Sequence[str], *, check: Check = unchecked) -> None:
        """Delete the objects; one that is not there is no error.

        `check` is called right before each request is sent, also one that is sent again; if it raises, nothing is.
        """
        self._local.check = check
        try:
            self._delete(keys)
        finally:
            self._local.check = unchecked

    def _delete(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), _DELETE_AT_ONCE):
            batch = keys[start : start + _DELETE_AT_ONCE]
            with self._mapped(f"{batch[0]} … ({len(batch)} objects)"):
                self._s3.delete_objects(
                    Bucket=self.name, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True}
                )

    def _check(self, **_: object) -> None:
        getattr(self._local, "check", unchecked)()

    @contextmanager
    def _mapped(self, key: str) -> Iterator[None]:
        """Raise this project's errors for the library's."""
        try:
            yield
        except ClientError as error:
            self._raise(error, key)
        except BotoCoreError as error:
            raise ServiceUnavailableError(
                f"The object store at {self.endpoint} does not answer ({type(error).__name__}, on {key}). Start it "
                "(`rag up`) or set AWS_ENDPOINT_URL."
            ) from error

    def _raise(self, error: ClientError, key: str) -> NoReturn:
        code = _code(error)
        if code in _MISSING and error.operation_name == "PutObject":
            # Compare-and-set of an object that was deleted meanwhile.
            raise ConflictError(f"Another writer was first: {key} is gone.") from error
        what = f"{code} on {key} in bucket {self.name} at {self.endpoint}"
        if code in _CONFLICT:
            raise ConflictError(f"Another writer was first: {what}.") from error
        if code in _REFUSED:
            raise CredentialsError(
                f"The object store refused our key: {what}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to keys "
                "that may read and write the bucket."
            ) from error
        if code == "NoSuchBucket":
            raise SettingError(f"There is no such bucket: {what}. Create it or set RAG_BUCKET.") from error
        if code in _FULL:
            raise StorageFullError(f"The object store has no room: {what}. Free some and run again.") from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or code in {"SlowDown", "RequestTimeout"}:  # noqa: PLR2004
            raise ServiceUnavailableError(
                f"The object store could not serve {what} (HTTP {status}); its disk may be full."
            ) from error
        raise SettingError(f"The object store refused a request: {what} (HTTP {status}).") from error


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
