"""The tables of conversations, as the queries name them; `migrations` makes them."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = ["EVENTS", "THREAD", "TURN", "WORKER"]

_tables = sa.MetaData()
THREAD = sa.Table(
    "thread",
    _tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("city", sa.Text),
    sa.Column("created_at", sa.Double),
    sa.Column("asked_at", sa.Double),
    sa.Column("turns", sa.Integer),
)
TURN = sa.Table(
    "turn",
    _tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("thread_id", sa.Text),
    sa.Column("n", sa.Integer),
    sa.Column("question", sa.Text),
    sa.Column("version", sa.Text),
    sa.Column("created_at", sa.Double),
    sa.Column("stopping", sa.Integer),
    sa.Column("ended_at", sa.Double),
    sa.Column("said", sa.Text),  # a copy of the answer's text, for the search
    sa.Column("answer", sa.Text),
    sa.Column("feedback", sa.Integer),
    sa.Column("comment", sa.Text),
    sa.Column("filter", sa.Text),
)
EVENTS = sa.Table(
    "turn_event",
    _tables,
    sa.Column("turn_id", sa.Text, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("body", sa.Text),
)
WORKER = sa.Table(
    "worker",
    _tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("started_at", sa.Double),
    sa.Column("seen_at", sa.Double),
)
