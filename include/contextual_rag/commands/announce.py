"""Tells the Airflow of `rag up --all` what a command changed, as Airflow's own tasks do."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from rich.markup import escape

from contextual_rag.commands.console import err
from contextual_rag.embedded.airflow import running, store_of
from contextual_rag.errors import RagError, SettingError
from contextual_rag.settings import Settings
from contextual_rag.versions.event import ASSET, event

__all__ = ["announce"]


def announce(settings: Settings, version: str, *, moved_from: str | None, why: str, by: str, **more: Any) -> None:
    """Give the asset its event, if an Airflow runs on this data.

    Call it only when what answers has changed. That stays changed if the event cannot be given, with a warning.
    """
    try:
        client = running(settings.data_dir)
        if client is None:
            return
        with closing(client):
            if settings.object_store_url != (store := store_of(settings.data_dir)):
                raise SettingError(f"The Airflow that runs here has another object store, {store}.")
            client.add_event(ASSET, event(version, moved_from=moved_from, why=why, by=by, **more))
    except (RagError, OSError) as error:
        err.print(
            f"[yellow]What answers has changed, but the asset {ASSET} has no event of it.[/] {escape(str(error))}",
            soft_wrap=True,
        )
