"""The world that tasks work on: the environment's, with what the Airflow connection `contextual_rag` supplies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from contextual_rag import wiring
from contextual_rag.errors import SettingError
from contextual_rag.settings import SECRETS, settings_supplied

if TYPE_CHECKING:
    from contextual_rag.wiring import World

__all__ = ["CONNECTION", "connect"]

CONNECTION = "contextual_rag"


def connect() -> World:
    """Return the world of this task instance. Raises SettingError that names what is wrong with the connection.

    Whoever may trigger a run may name its source, but need not be somebody who may reach this machine's network.
    """
    supplied = settings_supplied(_supplied(), by=f"The Airflow connection {CONNECTION}")
    return wiring.connect(supplied, any_source=False)


def _supplied() -> dict[str, Any]:
    """Return the settings of the connection by their names; none where there is no such connection."""
    try:
        connection = Connection.get(CONNECTION)
    except AirflowNotFoundException:
        return {}
    try:
        supplied = json.loads(connection.extra or "{}")
    except ValueError:
        supplied = None
    if not isinstance(supplied, dict):
        raise SettingError(
            f"The extra of the Airflow connection {CONNECTION} is not a JSON object of settings; make it one, such as "
            '{"MILVUS_TOKEN": "…"}.'
        )
    if connection.password:
        supplied.setdefault("TOGETHER_API_KEY", connection.password)
    # Airflow masks the extra as a whole, which hides none of its values where one stands alone.
    for name in SECRETS & supplied.keys():
        mask_secret(supplied[name])
    return supplied
