"""Write the secrets of docker-compose.yaml into a folder, each random and in a file of its own.

    python docker/make_secrets.py [secrets]

What exists is left as it is. Only the folder's owner may enter it; in it, files can be read by all, because in a
container another user reads a file without passing the folder. Needs nothing but Python.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

__all__ = ["main"]


def main(folder: Path) -> list[str]:
    """Write what is missing; return the names of the files written."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    written: list[str] = []

    def kept(name: str, value: str) -> str:
        path = folder / name
        if not path.exists():
            path.write_text(value)
            path.chmod(0o644)
            written.append(name)
        return path.read_text()

    def random(name: str) -> str:
        return kept(name, secrets.token_urlsafe(32))

    for name in ("postgres_password", "airflow_admin_password", "airflow_secret_key", "airflow_jwt_secret"):
        random(name)
    random("grafana_password")
    # One key alone, also if RAG_API_KEYS gets more.
    kept("prometheus_api_key", random("RAG_API_KEYS").replace(",", " ").split()[0])
    kept("airflow_fernet_key", base64.urlsafe_b64encode(os.urandom(32)).decode())
    airflow = random("airflow_database_password")
    kept("airflow_database_url", f"postgresql+psycopg2://airflow:{airflow}@postgres:5432/airflow")
    kept("result_backend_url", f"db+postgresql://airflow:{airflow}@postgres:5432/airflow")
    conversations = random("conversations_database_password")
    kept("RAG_CONVERSATIONS_URL", f"postgresql://conversations:{conversations}@postgres:5432/conversations")
    kept("broker_url", f"redis://:{random('redis_password')}@redis:6379/0")
    access, secret = random("s3_access_key"), random("s3_secret_key")
    kept("aws_credentials", f"[default]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n")
    kept("MILVUS_TOKEN", f"root:{random('milvus_password')}")
    # Empty: everything works offline.
    for name in ("TOGETHER_API_KEY", "RAG_CHAT_KEY", "RAG_CONTEXT_KEY", "RAG_EMBEDDING_KEY", "RAG_RERANK_KEY"):
        kept(name, "")
    return written


def name_in_environment(environment: Path) -> list[str]:
    """Add to `.env` what docker-compose.yaml needs and nobody set; return the lines added."""
    lines = environment.read_text().splitlines() if environment.exists() else []
    named = {line.partition("=")[0] for line in lines}
    # No container runs as root because somebody called this as root.
    wanted = {"AIRFLOW_UID": str(os.getuid() or 50000), "COMPOSE_PROFILES": "stores,sample"}
    added = [f"{name}={value}" for name, value in wanted.items() if name not in named]
    if added:
        environment.write_text("\n".join([*lines, *added, ""]))
    return added


if __name__ == "__main__":
    to = Path(sys.argv[1] if len(sys.argv) > 1 else "secrets")
    sys.stdout.write(f"secrets written to {to}/: {', '.join(main(to)) or 'none, all were there'}\n")
    sys.stdout.write(f"added to .env: {', '.join(name_in_environment(Path('.env'))) or 'nothing'}\n")
