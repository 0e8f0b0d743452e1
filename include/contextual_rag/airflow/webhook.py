"""A notifier that posts to a webhook, as chat services have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseNotifier, Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from contextual_rag.adapters.webhook import post
from contextual_rag.airflow.notices import Notice
from contextual_rag.errors import SettingError

__all__ = ["WebhookNotifier"]


class WebhookNotifier(BaseNotifier):
    """Posts the fields of a notice as JSON; `text` holds its message, as Slack and Mattermost expect.

    The address is the password of an Airflow connection, which Airflow encrypts and masks in logs.
    """

    def __init__(self, conn_id: str = "contextual_rag_webhook") -> None:
        super().__init__()
        self.conn_id = conn_id

    def notify(self, context: Mapping[str, Any]) -> None:
        """Post the notice. Raises SettingError or ServiceUnavailableError."""
        try:
            url = Connection.get(self.conn_id).password
        except AirflowNotFoundException:
            url = None
        if not url:
            raise SettingError(f"The password of the Airflow connection {self.conn_id} must be a webhook's address.")
        notice: Notice = context["rag"]
        post(url, {"text": notice.message, **notice._asdict()})
