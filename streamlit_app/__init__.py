"""The web page and the API."""

from contextual_rag.extras import needs

needs("page")
