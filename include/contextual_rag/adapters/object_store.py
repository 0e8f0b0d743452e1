"""The bucket, through S3's API: any store with conditional writes (`If-None-Match`, `If-Match`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import local
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader, create_loader
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from contextual_rag.adapters.store_faults import MISSING, Faults, code_of, is_refused, is_undecided
from contextual_rag.errors import ConflictError, SettingError
from contextual_rag.ports import Check, Described, Stored

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from botocore.signers import RequestSigner
    from types_boto3_s3 import S3Client
    from types_boto3_s3.literals import BucketLocationConstraintType

__all__ = ["Addressing", "Bucket", "preload"]

_T = TypeVar("_T")
Addressing = Literal["auto", "path", "virtual"]

_DELETE_AT_ONCE = 1000
_DELETERS = 16
_DEFAULT_REGION = "us-east-1"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# The key of a store on this machine which asks for none in particular.
_LOCAL_KEY = "test"


@cache
def _loader() -> Loader:
    """What has been read of the SDK's files, which take longer to read than all else."""
    return create_loader()


def preload() -> None:
    """Read what the SDK reads from disk for its first client, so that processes forked from this one need not."""
    Bucket("none", endpoint=None, access_key="none", secret_key="none")  # noqa: S106


class Bucket:
    """An `ObjectStore`. Safe to share between threads; make one for each process.

    `name` is a bucket, or a bucket and a prefix for all keys: `bucket/prefix`. Without an `endpoint`, it is AWS's.
    Without a key, the SDK looks for one as all of AWS's tools do: environment, profile, role of a container or machine.
    `timeout_s` bounds each wait for an answer; what may pass is tried `attempts` times.
    """

    def __init__(  # noqa: PLR0913
        self,
        name: str,
        *,
        endpoint: str | None,
        access_key: str | None = None,
        secret_key: str | None = None,
        session_token: str | None = None,
        profile: str | None = None,
        region: str | None = None,
        addressing: Addressing | None = None,
        connections: int = 32,
        timeout_s: float = 60.0,
        attempts: int = 4,
    ) -> None:
        self.name = name
        self.endpoint = endpoint or "AWS"
        self._faults = Faults(name, self.endpoint)
        self._bucket, _, prefix = name.partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._attempts = attempts
        session = botocore.session.Session(profile=profile)
        session.register_component("data_loader", _loader())
        with self._faults.mapped("the credentials"):
            if endpoint and access_key is None and _is_keyless(endpoint, session):
                access_key, secret_key = _LOCAL_KEY, secret_key or _LOCAL_KEY
            region = region or session.get_config_variable("region") or _DEFAULT_REGION
        self._region = region
        # A store at an address of its own hardly ever has a name for each bucket.
        style = addressing or ("path" if endpoint else None)
        try:
            with self._faults.mapped("the credentials"):
                self._s3: S3Client = boto3.Session(botocore_session=session).client(
                    "s3",
                    endpoint_url=endpoint,
                    aws_access_key_id=access_key,
                    aws_secret_access_key=secret_key,
                    aws_session_token=session_token,
                    region_name=region,
                    config=Config(
                        connect_timeout=min(5.0, timeout_s),
                        read_timeout=timeout_s,
                        max_pool_connections=connections,
                        retries={"mode": "standard", "total_max_attempts": attempts},
                        s3={"addressing_style": style} if style else None,
                    ),
                )
        except ValueError as error:
            raise SettingError(f"AWS_ENDPOINT_URL is not a URL of an object store: {error}") from None
        self._local = local()
        self._s3.meta.events.register("choose-signer.s3.DeleteObject", lambda **_: UNSIGNED)
        self._s3.meta.events.register("before-sign.s3.DeleteObject", self._sign_for_a_while)

    def ensure(self) -> None:
        """Create the bucket unless it is there."""
        self._decided(self._ensure)

    def _ensure(self) -> None:
        with self._faults.mapped("the bucket itself"):
            try:
                self._s3.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if code_of(error) not in MISSING | {"NoSuchBucket"}:
                    raise
                self._create()

    def _create(self) -> None:
        region: BucketLocationConstraintType = self._region  # type: ignore[assignment]
        # AWS refuses its oldest region as a place.
        place = {} if self._region == _DEFAULT_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._s3.create_bucket(Bucket=self._bucket, **place)  # type: ignore[arg-type]
        except ClientError as error:
            if code_of(error) != "BucketAlreadyOwnedByYou":  # another process was faster
                raise

    def get(self, key: str) -> Stored | None:
        """Return the object, or None where there is none."""
        with self._faults.mapped(key):
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
                body, etag = answer["Body"].read(), answer.get("ETag")
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise
        if not etag:
            raise SettingError(
                f"{self.endpoint} answers as no object store does ({key} came without an ETag). Set AWS_ENDPOINT_URL."
            )
        return Stored(body, etag)

    def put(self, key: str, body: bytes) -> None:
        """Store the object, replacing what was there."""
        with self._faults.mapped(key):
            self._s3.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=body)

    def put_new(self, key: str, body: bytes) -> bool:
        """Store the object unless one is there; False where one was."""
        try:
            self.swap(key, body, expected=None)
        except ConflictError:
            return False
        return True

    def swap(self, key: str, body: bytes, *, expected: str | None) -> str:
        """Replace the object whose tag is `expected`, or create it where None; else ConflictError. Return its tag."""

        def write() -> str:
            with self._faults.mapped(key):
                if expected is None:
                    answer = self._s3.put_object(
                        Bucket=self._bucket, Key=self._prefix + key, Body=body, IfNoneMatch="*"
                    )
                else:
                    answer = self._s3.put_object(
                        Bucket=self._bucket, Key=self._prefix + key, Body=body, IfMatch=expected
                    )
                return answer["ETag"]

        return self._decided(write)

    def _decided(self, write: Callable[[], _T]) -> _T:
        """Write until the store says whether it may be."""
        retrying = Retrying(
            retry=retry_if_exception(is_undecided),
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            reraise=True,
        )
        return retrying(write)

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        with self._faults.mapped(key):
            try:
                self._s3.head_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError as error:
                if code_of(error) in MISSING:
                    return False
                raise
        return True

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix, in lexicographic order."""
        for found in self.describe(prefix):
            yield found.key

    def describe(self, prefix: str) -> Iterator[Described]:
        """Yield what stands below a prefix, in lexicographic order of its keys."""
        with self._faults.mapped(prefix):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for item in page.get("Contents", ()):
                    key = item["Key"].removeprefix(self._prefix)
                    yield Described(key, item["Size"], item["LastModified"], item.get("ETag"))

    def delete(self, keys: Sequence[str], *, check: Check | None = None) -> None:
        """Delete the objects, in any order; one that is not there is no error.

        `check` is called right before each request is sent, also one that is sent again; if it raises, nothing is. The
        store itself refuses a request that arrives later than `check` allows.
        """
        if check is None:
            self._delete(keys)
            return
        with ThreadPoolExecutor(_DELETERS) as pool:
            list(pool.map(lambda key: self._delete_in_time(key, check), keys))

    def _delete_in_time(self, key: str, check: Check) -> None:
        self._local.check = check
        # What came too late is refused like what has a wrong key; it is sent again as long as `check` allows it.
        retrying = Retrying(retry=retry_if_exception(is_refused), stop=stop_after_attempt(self._attempts), reraise=True)
        with self._faults.mapped(key):
            retrying(self._s3.delete_object, Bucket=self._bucket, Key=self._prefix + key)

    def _sign_for_a_while(
        self, *, request: AWSRequest, signing_name: str, region_name: str, request_signer: RequestSigner, **_: object
    ) -> None:
        """Sign as pre-signed URLs are, since only these have an end that the store checks."""
        check: Check = self._local.check
        request_signer.get_auth_instance(signing_name, region_name, "s3v4-query", expires=check()).add_auth(request)
        check()  # the time that it is signed with must not be later than a look at the lease

    def _delete(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), _DELETE_AT_ONCE):
            batch = keys[start : start + _DELETE_AT_ONCE]
            objects = f"{batch[0]} … ({len(batch)} objects)"
            with self._faults.mapped(objects):
                answer = self._s3.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": self._prefix + key} for key in batch], "Quiet": True},
                )
            # The answer is a success even if some or all objects are still there.
            left = [error for error in answer.get("Errors", ()) if error.get("Code") not in MISSING]
            if left:
                key = left[0].get("Key", "").removeprefix(self._prefix)
                fault = ClientError({"Error": {"Code": left[0].get("Code", "")}}, "DeleteObjects")
                self._faults.raise_for(fault, f"{key} (and {len(left) - 1} more of {objects})" if left[1:] else key)


def _is_keyless(endpoint: str, session: botocore.session.Session) -> bool:
    """Whether a store is on this machine, and no key is configured. A machine's role is of no use for such a store."""
    if urlsplit(endpoint).hostname not in _LOOPBACK:
        return False
    session.get_component("credential_provider").remove("iam-role")
    return session.get_credentials() is None
