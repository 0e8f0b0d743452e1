"""Everything that can be set from outside, read once from the environment and passed on.

Sources in order of precedence: environment, `.env`, `.data/services.env` (written by `rag up`, so that other commands
find the services it started), files in /run/secrets that are named like settings, the defaults below. In Airflow's
tasks, a connection takes precedence over all of them.
Relative paths are relative to the project's folder, so that a command does the same wherever it is run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Set
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_settings import NoDecode

from contextual_rag.errors import SettingError
from contextual_rag.keys import SOURCE_NAME
from contextual_rag.noun import Noun
from contextual_rag.roles import ModelSettings
from contextual_rag.setting_types import (
    BucketPath,
    ChosenSecret,
    Environment,
    Price,
    UrlOrNone,
    from_json,
    listed,
    named,
    noun_of,
)

__all__ = [
    "PROJECT",
    "SECRETS",
    "Settings",
    "read_one",
    "read_settings",
    "services_file",
    "settings_supplied",
]

# The folder that holds `include/`, or the working directory if the package was installed elsewhere.
PROJECT = Path(__file__).parents[2] if Path(__file__).parents[1].name == "include" else Path.cwd()


# Where `rag up` puts the object store.
_EMBEDDED_STORE = "http://127.0.0.1:4566"


class Settings(ModelSettings):
    """Frozen. `read_settings` reads it when a process starts; everything else gets it as an argument."""

    data_dir: Path = Path(".data")
    # The limit for all downloaded index versions together. The one in use alone may take more.
    index_cache_bytes: Annotated[int, Field(ge=0)] = 2_000_000_000

    # Object store. Without a key, the SDK's own chain is asked: profile, role of a container or machine.
    aws_endpoint_url: Annotated[str | None, named("AWS_ENDPOINT_URL")] = None
    aws_access_key_id: Annotated[SecretStr | None, named("AWS_ACCESS_KEY_ID")] = None
    aws_secret_access_key: Annotated[SecretStr | None, named("AWS_SECRET_ACCESS_KEY")] = None
    aws_session_token: Annotated[SecretStr | None, named("AWS_SESSION_TOKEN")] = None
    aws_profile: Annotated[str | None, named("AWS_PROFILE")] = None
    aws_region: Annotated[str | None, named("AWS_REGION")] = None
    # An Airflow connection of the type aws, from which tasks take the above
    object_store_connection: str | None = None
    # A bucket, or bucket/prefix
    bucket: BucketPath = "contextual-rag"
    object_store_addressing: Literal["auto", "path", "virtual"] | None = None
    object_store_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    object_store_attempts: Annotated[int, Field(ge=1, le=10)] = 4

    # Vectors
    milvus_uri: Annotated[str, named("MILVUS_URI")] = "http://127.0.0.1:19530"
    milvus_token: Annotated[SecretStr | None, named("MILVUS_TOKEN")] = None
    milvus_timeout_s: Annotated[float, Field(gt=0)] = 30.0

    # Source: the address of its index page, or a file that names several sources; and the name under which its
    # snapshots are stored (default: host and path)
    source_url: str = "https://www.paulgraham.com/articles.html"
    source_name: Annotated[str | None, Field(pattern=SOURCE_NAME)] = None
    source_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)] = ()
    user_agent: str = "contextual-rag/0.1 (follows an essay site once a day; honours robots.txt)"
    request_interval_s: Annotated[float, Field(ge=0, le=60)] = 0.1
    max_page_bytes: Annotated[int, Field(ge=1000)] = 2_000_000
    # Of PDF, Word, Excel, PowerPoint and EPUB files, and what the process that reads one may take of processor and
    # memory
    max_file_bytes: Annotated[int, Field(ge=1000)] = 50_000_000
    reader_timeout_s: Annotated[int, Field(ge=1, le=3600)] = 60
    reader_memory_mb: Annotated[int, Field(ge=300)] = 1000
    # Whether people may upload documents that everybody is then answered from; how many a person may have, and all
    # people together; and of which types (default: all that are read)
    uploads: bool = False
    uploads_per_person: Annotated[int, Field(ge=1)] = 50
    uploads_most: Annotated[int, Field(ge=1, le=20_000)] = 1000
    upload_types: Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)] = ()
    # The time limits of each wait for the site and of a whole page, and the number of attempts for a page
    page_timeout_s: Annotated[float, Field(gt=0)] = 20.0
    page_deadline_s: Annotated[float, Field(gt=0)] = 60.0
    page_attempts: Annotated[int, Field(ge=1, le=10)] = 3

    # Models, beside those of `roles.py`
    model_concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    model_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    model_attempts: Annotated[int, Field(ge=1, le=10)] = 5
    requests_per_minute: Annotated[int, Field(ge=1)] = 600
    tokens_per_minute: Annotated[int, Field(ge=1000)] = 2_000_000

    # Money. Prices are USD per million tokens, in and out, by model; for other models the provider's list counts.
    budget_usd: Price | None = None
    model_prices: Annotated[dict[str, tuple[Price, Price]], NoDecode, BeforeValidator(from_json)] = Field(
        default_factory=dict
    )

    # Services of the tools. "none" turns a tool off; a city is only looked up if a service is named.
    weather_url: UrlOrNone = "https://api.open-meteo.com"
    geocoding_url: UrlOrNone = "https://geocoding-api.open-meteo.com"
    weather_timeout_s: Annotated[float, Field(gt=0)] = 5.0
    weather_attempts: Annotated[int, Field(ge=1, le=10)] = 2
    city_lookup_url: Annotated[str, Field(pattern=r"^(none|https?://[^/{}].*\{address\}.*)$")] = "none"

    # Recipe and ranking: a .toml or .json file of parameters, and four parameters that override it
    recipe: Path | None = None
    chunker: str | None = None
    chunk_size: int | None = None
    chunk_overlap: int | None = None
    keyword_search: str | None = None

    # Gates: the share of essays that may fail, the share by which the index page may shrink, and how much a figure of
    # the evaluation, of the search or of answers, may fall, before publishing is refused
    max_failed_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    max_shrink_share: Annotated[float, Field(ge=0, le=1)] = 0.3
    max_quality_drop: Annotated[float, Field(ge=0, le=1)] = 0.05
    max_answers_drop: Annotated[float, Field(ge=0, le=1)] = 0.1

    # Pruning: how many of the newest versions stay; how old an object, or the last sign of life of a build, must be
    # before it may be removed; and after how long without a sign of life nobody waits for a pruning process any more
    keep_versions: Annotated[int, Field(ge=0)] = 14
    prune_grace_hours: Annotated[float, Field(ge=0)] = 24.0
    # A store obeys a request until a time in whole seconds, which has to be over before others take the lease.
    prune_dead_after_s: Annotated[float, Field(ge=3)] = 30.0

    # After these hours, Airflow ends a task instance; a run gets ten times as long.
    task_hours: Annotated[float, Field(gt=0, le=1000)] = 2.0

    # Airflow notifiers that tell of runs that failed: for each its class, and the arguments to create it with
    notifiers: Annotated[tuple[dict[str, Any], ...], NoDecode, BeforeValidator(from_json)] = ()

    # How long after the last look at the site `rag status` calls the answers stale: a day, and time for a late run
    stale_after_hours: Annotated[float, Field(gt=0)] = 30.0
    # The Airflow of a deployment, for `rag doctor`; and a user there who may start runs, for uploads
    airflow_url: Annotated[str | None, Field(pattern=r"^https?://")] = None
    airflow_user: str | None = None
    airflow_password: SecretStr | None = None

    # Conversations: their database (default: a file in the data folder); the name of the worker (default: a free one)
    # and how many turns it runs at once; how long a turn may take, how often it may call tools, and how long the
    # records of its steps are kept after its end
    conversations_url: SecretStr | None = None
    worker_id: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = None
    worker_concurrency: Annotated[int, Field(ge=1, le=64)] = 24
    turn_timeout_s: Annotated[float, Field(gt=0)] = 300.0
    tool_rounds: Annotated[int, Field(ge=0, le=20)] = 4
    turn_records_hours: Annotated[float, Field(ge=0)] = 24.0

    # What people read the documents called, one and several; and the name in the page's title and heading
    document_noun: Annotated[Noun, NoDecode, BeforeValidator(noun_of)] = Noun()
    site_name: Annotated[str | None, Field(max_length=80)] = None
    # The page and its API: port, rate limit, the number of proxies in front that each add an address to
    # X-Forwarded-For, keys and login. Without keys, the API only serves this machine.
    page_port: Annotated[int, Field(ge=1, le=65535)] = 8501
    mcp_port: Annotated[int, Field(ge=1, le=65535)] = 8502
    questions_per_minute: Annotated[int, Field(ge=1)] = 20
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    api_keys: Annotated[tuple[ChosenSecret, ...], NoDecode, BeforeValidator(listed)] = ()
    auth: Literal["open", "oidc"] = "open"
    # Login by OpenID Connect: the provider's metadata, this page's client id and secret, the secret that signs cookies,
    # and the public address of the page
    oidc_metadata_url: Annotated[str | None, Field(pattern=r"^https?://")] = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_cookie_secret: ChosenSecret | None = None
    page_url: Annotated[str | None, Field(pattern=r"^https?://")] = None

    # Evaluation: a JSONL file of questions, each with what answers it
    questions: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_is_not_set(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Let an empty file of a secret count as not set, like an empty variable."""
        return {name: value for name, value in given.items() if value != ""}

    @property
    def page_title(self) -> str:
        """The name in the page's title and heading."""
        return self.site_name or f"Ask the {self.document_noun.many}"

    @property
    def object_store_url(self) -> str | None:
        """The address of the object store; None is AWS's. Who names no bucket means the embedded one."""
        return self.aws_endpoint_url or (None if "bucket" in self.model_fields_set else _EMBEDDED_STORE)


def _in_environment(field: str) -> str:
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"RAG_{field}".upper()


# The names of all settings in the environment, and the names of those whose values are never shown.
_NAMES = {_in_environment(field): field for field in Settings.model_fields}
SECRETS = frozenset(
    name for name, field in _NAMES.items() if "SecretStr" in str(Settings.model_fields[field].annotation)
)
# Names in the environment that are not settings: the embedded services' ports and site, the folder of secrets, and what
# the tests read.
_OTHER_NAMES = frozenset(
    {
        "RAG_AIRFLOW_PORT",
        "RAG_EMBEDDED_IN",
        "RAG_MILVUS_PORT",
        "RAG_OBJECT_STORE_PORT",
        "RAG_OBJECT_STORE_RESERVE_BYTES",
        "RAG_SCREENSHOTS",
        "RAG_SECRETS_DIR",
        "RAG_SITE",
        "RAG_SITE_EDITION",
        "RAG_SITE_PORT",
        "RAG_TEST_MILVUS_URI",
        "RAG_TEST_S3_URL",
    }
)
_PATHS = ("data_dir", "recipe", "questions")


def read_settings(*, project: Path = PROJECT, **overrides: Any) -> Settings:
    """Read the environment and the files in the project's folder.

    Raises SettingError that names each wrong or unknown setting and where it was read.
    """
    return _read(project, overrides)


def read_one(field: str, **supplied: Any) -> Any:
    """Read one setting, even if others are wrong. Raises SettingError if it is wrong itself."""
    info = Settings.model_fields[field]
    alone: Any = create_model("Alone", __base__=Environment, **{field: (info.annotation, info)})  # type: ignore[call-overload]
    files = _files(PROJECT)
    try:
        return getattr(alone(_env_file=files, **supplied), field)
    except ValidationError as error:
        raise SettingError(_explain(error, f"environment, {files[1]} or {files[0]}")) from None


def settings_supplied(values: Mapping[str, Any], *, by: str) -> Settings:
    """Read the environment, with the supplied values in place of its own; empty ones count as not set.

    Raises SettingError also for the name of an unknown setting.
    """
    _refuse_unknown(set(values) - _NAMES.keys(), by)
    # Fields with an alias are passed by it, so that an error names it.
    given = {name: value for name, value in values.items() if value not in (None, "")}
    named = {_NAMES[name] if name.startswith("RAG_") else name: value for name, value in given.items()}
    return _read(PROJECT, named, f"{by}, ")


def _read(project: Path, overrides: dict[str, Any], looked: str = "") -> Settings:
    files = _files(project)
    try:
        places = {"the environment": set(os.environ)} | {str(file): set(dotenv_values(file)) for file in files}
        for place, names in places.items():
            ours = {name for name in names if name.upper().startswith("RAG_")}
            _refuse_unknown({name for name in ours if name.upper() not in _NAMES.keys() | _OTHER_NAMES}, place)
        secrets = Path(os.environ.get("RAG_SECRETS_DIR") or "/run/secrets")
        settings = Settings(_env_file=files, _secrets_dir=secrets if secrets.is_dir() else None, **overrides)
    except ValidationError as error:
        raise SettingError(_explain(error, f"{looked}environment, {files[1]} or {files[0]}")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{files[1]} or {files[0]} cannot be read as UTF-8 ({type(error).__name__}).") from None
    paths = {name: project / path for name in _PATHS if (path := getattr(settings, name))}
    source = settings.source_url
    if source in {".", ".."} or source.startswith(("./", "../")) or re.fullmatch(r"[^:/~][^:]*\.toml", source):
        paths |= {"source_url": str(project / source)}
    return settings.model_copy(update=paths)


def _files(project: Path) -> tuple[Path, Path]:
    return services_file(project / (os.environ.get("RAG_DATA_DIR") or ".data")), project / ".env"


def _refuse_unknown(names: Set[str], place: str) -> None:
    """Refuse a name that no setting has: a misspelt budget would limit nothing."""
    if not names:
        return
    near = {name: get_close_matches(name.upper(), _NAMES, n=1) for name in sorted(names)}
    listed = ", ".join(name + (f" (did you mean {match[0]}?)" if match else "") for name, match in near.items())
    raise SettingError(
        f"Unknown settings in {place}: {listed}. Correct or remove them; docs/settings.md lists all.",
        code="setting_unknown",
    )


def services_file(data_dir: Path) -> Path:
    """Return the file in which `rag up` stores the addresses of its services."""
    return data_dir / "services.env"


def _explain(error: ValidationError, looked: str) -> str:
    """Name each wrong field and the broken rule, but never the value: it may be a secret."""
    faults = [f"{_name(fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}" for fault in error.errors()]
    return f"Wrong settings ({looked}): " + "; ".join(faults)


def _name(place: tuple[int | str, ...]) -> str:
    """Return the name of a field as people write it; names in capitals have no prefix."""
    name = ".".join(map(str, place))
    return name if name.isupper() else f"RAG_{name}".upper()
