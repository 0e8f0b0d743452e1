"""Conversations: threads of durable turns, kept in tables of our own and answered by a worker process."""
