"""The API's OpenAPI description as a page that loads no scripts."""

from __future__ import annotations

from html import escape
from typing import Any

__all__ = ["docs_html"]

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
h2 {{ font-size: 1rem; margin: 1.5rem 0 0; }} p {{ margin: 0.25rem 0; }} pre {{ overflow-x: auto; }}
code, pre {{ font-size: 0.85rem; }} dt {{ font-family: monospace; }} dd {{ opacity: 0.75; }}
</style></head><body><h1>{title}</h1><p>{about}</p>
<p>OpenAPI schema: <a href="openapi.json">openapi.json</a></p>{operations}</body></html>"""


def docs_html(schema: dict[str, Any]) -> str:
    """Return the page of an OpenAPI schema."""
    operations = [
        _operation(method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    info = schema["info"]
    return _PAGE.format(
        title=escape(info["title"]), about=escape(info.get("description", "")), operations="".join(operations)
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<dt>{escape(one['name'])} ({escape(one['in'])})</dt><dd>{escape(one.get('description', ''))}</dd>"
        for one in operation.get("parameters", ())
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    takes = f"<p>Body: <code>{escape(str(body.get('$ref', '')).rpartition('/')[2])}</code></p>" if body else ""
    head = f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
    return f"{head}<p>{escape(operation.get('description', ''))}</p>{takes}<dl>{parameters}</dl>"
