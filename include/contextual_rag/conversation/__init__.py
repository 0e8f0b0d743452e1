"""Conversations: threads of durable turns, stored in our own tables and answered by a worker process."""

from contextual_rag.extras import needs

needs("worker")
