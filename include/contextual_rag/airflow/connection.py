"""The world that tasks work on: the environment's, with what the Airflow connection `contextual_rag` supplies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret
from airflow.sdk.observability import stats

from contextual_rag import wiring
from contextual_rag.errors import SettingError
from contextual_rag.settings import SECRETS, settings_supplied

if TYPE_CHECKING:
    from contextual_rag.wiring import World

__all__ = ["CONNECTION", "connect", "count", "supplied"]

CONNECTION = "contextual_rag"


# What the extra of a connection of the type aws calls our settings.
_AWS = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
    "endpoint_url": "AWS_ENDPOINT_URL",
    "profile_name": "AWS_PROFILE",
    "region_name": "AWS_REGION",
}


def connect() -> World:
    """Return the world of this task instance. Raises SettingError that names what is wrong with the connection.

    Whoever may trigger a run may name its source, but need not be somebody who may reach this machine's network.
    """
    given, by = supplied(), f"The Airflow connection {CONNECTION}"
    if name := settings_supplied(given, by=by).object_store_connection:
        given, by = _of_aws(name) | given, f"The Airflow connections {name} and {CONNECTION}"
    # Airflow masks the extra as a whole, which hides none of its values where one stands alone.
    for secret in SECRETS & given.keys():
        mask_secret(given[secret])
    return wiring.connect(settings_supplied(given, by=by), any_source=False, count=count)


def count(name: str, number: float) -> None:
    """Add to one of Airflow's metrics; Airflow sends them where its settings say, or nowhere."""
    stats.incr(f"contextual_rag.{name}", count=number)  # type: ignore[arg-type]  # a sum of money is no whole number


def supplied() -> dict[str, Any]:
    """Return the settings of the connection by their names; none where there is no such connection."""
    try:
        connection = Connection.get(CONNECTION)
    except AirflowNotFoundException:
        return {}
    found = _extra(connection, CONNECTION, 'settings; make it one, such as {"MILVUS_TOKEN": "…"}')
    if connection.password:
        found.setdefault("TOGETHER_API_KEY", connection.password)
    return found


def _of_aws(name: str) -> dict[str, Any]:
    """Return the settings of the object store that a connection of the type aws has."""
    try:
        connection = Connection.get(name)
    except AirflowNotFoundException:
        raise SettingError(
            f"There is no Airflow connection {name}. Add it, or correct RAG_OBJECT_STORE_CONNECTION."
        ) from None
    extra = _extra(connection, name, "what an aws connection has; correct it")
    if extra.get("role_arn"):
        raise SettingError(
            f"The Airflow connection {name} names a role_arn, which is not read here. Put the role into a profile of "
            "AWS's configuration file, and name that as profile_name."
        )
    extra |= {key: value for key, value in extra.get("service_config", {}).get("s3", {}).items() if key in _AWS}
    found = {setting: extra[key] for key, setting in _AWS.items() if extra.get(key)}
    if connection.login:
        found |= {"AWS_ACCESS_KEY_ID": connection.login, "AWS_SECRET_ACCESS_KEY": connection.password}
    return found


def _extra(connection: Connection, name: str, what: str) -> dict[str, Any]:
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise SettingError(f"The extra of the Airflow connection {name} is not a JSON object of {what}.")
    return extra
