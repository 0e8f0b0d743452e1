"""Starts and stops the embedded services of the Procfile, and records their ports for other commands.

Each process has the data folder's path in its environment, so that the next run can recognise and stop processes that a
killed run left behind.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
from dotenv import dotenv_values
from filelock import FileLock, Timeout

from contextual_rag.adapters.trust import trusted
from contextual_rag.conversation.engine import create_engine, database_url
from contextual_rag.conversation.store import Store
from contextual_rag.embedded import airflow
from contextual_rag.embedded.loopback import answers, free_port, is_free, listens
from contextual_rag.embedded.processes import Processes, started
from contextual_rag.embedded.secrets import secret
from contextual_rag.errors import ServiceUnavailableError, SettingError
from contextual_rag.folders import private_folder
from contextual_rag.settings import PROJECT, Settings, read_settings, services_file

__all__ = ["ALL", "BUILDING", "STORES", "Services", "running"]

# The services that `rag` needs, those for building an index through Airflow, and those that `make up` runs.
STORES = ("object-store", "milvus")
BUILDING = (*STORES, "site", "scheduler", "dag-processor", "api-server")
ALL = (*BUILDING, "worker", "page")

_PORTS = {
    "object-store": ("RAG_OBJECT_STORE_PORT", 4566),
    "milvus": ("RAG_MILVUS_PORT", 19530),
    "site": ("RAG_SITE_PORT", 8100),
    "api-server": ("RAG_AIRFLOW_PORT", 8080),
    "page": ("RAG_PAGE_PORT", 8501),
}
_MARK = "RAG_EMBEDDED_IN"
_READY_S = 120.0


@dataclass
class Services:
    """Running services: their ports, and the environment of their processes and of other commands."""

    data_dir: Path
    ports: dict[str, int]
    environment: dict[str, str]
    processes: Processes | None = None

    def settings(self) -> Settings:
        """Return settings that lead to these services, whatever the environment says."""
        names = ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MILVUS_URI"]
        names += ["RAG_SOURCE_URL", "RAG_SOURCE_NAME"]
        fields: dict[str, Any] = {
            name.removeprefix("RAG_").lower(): self.environment[name] for name in names if name in self.environment
        }
        return read_settings(data_dir=self.data_dir, **fields)

    def wait(self) -> str:
        """Wait until a service ends by itself; return its name and the end of its log in a message."""
        while not (ended := self.processes and self.processes.ended()):
            time.sleep(0.5)
        return ended

    @property
    def airflow_url(self) -> str:
        """Airflow's UI and API."""
        return f"http://127.0.0.1:{self.ports['api-server']}"

    @property
    def airflow_password(self) -> str:
        """The password of the user `admin`."""
        return secret(self.data_dir, "airflow_password")

    @property
    def site_url(self) -> str:
        """The index page of the site."""
        return f"http://127.0.0.1:{self.ports['site']}/articles.html"


@contextmanager
def running(names: Sequence[str], *, data_dir: Path, site: Path | None = None, edition: int = 1) -> Iterator[Services]:
    """Run services until the block ends, and then stop all their processes in any case.

    Records their ports for other commands. If a default port is taken, a free one is used; a port that is set must be
    free. Raises SettingError or ServiceUnavailableError if they cannot be started.
    """
    if site is None and _own_source():
        names = [name for name in names if name != "site"]
    data_dir = private_folder(data_dir.absolute())
    lock = FileLock(data_dir / "services.lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise SettingError(
            f"Services are already running on the data in {data_dir}. Use them, stop them, or set RAG_DATA_DIR to "
            "another folder."
        ) from None
    try:
        _stop_leftovers(data_dir)
        with ExitStack() as stack:
            # Lock, because two starts on one machine at the same time would choose the same free port.
            with FileLock(_ports_folder(data_dir) / "ports.lock"):
                services = _prepared(names, data_dir, site, edition)
                if "api-server" in names:
                    airflow.migrate(services.environment)
                services.processes = stack.enter_context(
                    started(names, folder=PROJECT, environment=services.environment, logs=data_dir / "logs")
                )
                _wait_until_ready(names, services)
            services_file(data_dir).write_text(_as_dotenv(names, services))
            yield services
    finally:
        _stop_leftovers(data_dir)
        lock.release()


def _ports_folder(data_dir: Path) -> Path:
    """Return the folder of the lock: this user's own, for in /tmp another user could hold the lock for ever."""
    folder = private_folder(Path.home() / ".cache" / "contextual-rag")
    return folder if os.access(folder, os.W_OK) else data_dir


def _prepared(names: Sequence[str], data_dir: Path, site: Path | None, edition: int) -> Services:
    last = {name: value for name, value in dotenv_values(services_file(data_dir)).items() if value}
    ports = {name: _port(name, last) for name in _PORTS if name in names}
    environment = dict(os.environ) | {
        _MARK: str(data_dir),
        # Otherwise Airflow's processes overwrite their environment with their titles, and our mark is lost.
        "SPT_NOENV": "1",
        "RAG_DATA_DIR": str(data_dir),
        # Several tasks embed at once: one thread each, so that they do not compete for the cores.
        "OPENBLAS_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    environment |= {_PORTS[name][0]: str(port) for name, port in ports.items()}
    services = Services(data_dir, ports, environment)
    if "object-store" in names:
        environment |= {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports['object-store']}",
            "AWS_ACCESS_KEY_ID": secret(data_dir, "object_store_access_key"),
            "AWS_SECRET_ACCESS_KEY": secret(data_dir, "object_store_secret_key"),
        }
    if "milvus" in names:
        environment["MILVUS_URI"] = f"http://127.0.0.1:{ports['milvus']}"
    if "site" in names:
        root = site or PROJECT / "sample_site"
        environment |= {
            "RAG_SITE": str(root.absolute()),
            "RAG_SITE_EDITION": str(edition),
            "RAG_SOURCE_URL": services.site_url,
            # The port may change at the next start; the days stay those of this site.
            "RAG_SOURCE_NAME": root.resolve().name,
            # It is our own site, so no delay between requests is needed.
            "RAG_REQUEST_INTERVAL_S": "0",
        }
        if (root / "questions.jsonl").is_file() and not os.environ.get("RAG_QUESTIONS"):
            environment["RAG_QUESTIONS"] = str((root / "questions.jsonl").absolute())
    if "api-server" in names:
        environment |= airflow.environment(data_dir, ports["api-server"])
    return services


def _own_source() -> str | None:
    """Return the source that the environment or `.env` names: then the sample site is not served."""
    return os.environ.get("RAG_SOURCE_URL") or dotenv_values(PROJECT / ".env").get("RAG_SOURCE_URL")


def _port(name: str, last: dict[str, str]) -> int:
    setting, default = _PORTS[name]
    wanted = os.environ.get(setting)
    if wanted is not None:
        if not wanted.isdecimal() or not is_free(int(wanted)):
            raise SettingError(f"Port {wanted} for {name} is taken or invalid. Set {setting} to another one.")
        return int(wanted)
    # Prefer the port of the last run: the site's port is part of the essays' URLs.
    for candidate in (int(last.get(setting, default)), default):
        if is_free(candidate):
            return candidate
    return free_port()


def _as_dotenv(names: Sequence[str], services: Services) -> str:
    wanted = [
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "MILVUS_URI",
        "RAG_SOURCE_URL",
        "RAG_SOURCE_NAME",
    ]
    wanted += [_PORTS[name][0] for name in names if name in _PORTS]
    lines = [f"{name}={services.environment[name]}" for name in wanted if name in services.environment]
    return "\n".join(["# Written by `rag up`: where the embedded services are.", *lines, ""])


def _wait_until_ready(names: Sequence[str], services: Services) -> None:
    began = datetime.now(UTC)
    checks: dict[str, Callable[[], bool]] = {
        "object-store": lambda: answers(f"http://127.0.0.1:{services.ports['object-store']}/_ministack/health"),
        "milvus": lambda: listens(services.ports["milvus"]),
        "site": lambda: answers(services.site_url),
        "worker": lambda: _works(services, since=began),
        "api-server": lambda: _is_healthy(services.airflow_url),
        "page": lambda: answers(f"http://127.0.0.1:{services.ports['page']}/api/health"),
    }
    pending = {name: check for name, check in checks.items() if name in names}
    deadline = time.monotonic() + _READY_S
    while pending:
        pending = {name: check for name, check in pending.items() if not check()}
        if ended := services.processes and services.processes.ended():
            raise ServiceUnavailableError(ended)
        if time.monotonic() > deadline:
            raise ServiceUnavailableError(
                f"{', '.join(pending)} did not start within {_READY_S:.0f} s. See {services.data_dir / 'logs'}."
            )
        if pending:
            time.sleep(0.1)


def _works(services: Services, *, since: datetime) -> bool:
    """Whether the conversations worker has sent a heartbeat."""
    engine = create_engine(database_url(services.settings()))
    try:
        seen = Store(engine).seen_at()
    except ServiceUnavailableError:
        return False
    finally:
        engine.dispose()
    return seen is not None and seen >= since


def _is_healthy(url: str) -> bool:
    """Whether Airflow's scheduler and DAG processor are both healthy, and what tasks report to is ready.

    The API server makes that at the first request to it, for which the first task would wait some seconds.
    """
    try:
        parts = httpx.get(f"{url}/api/v2/monitor/health", timeout=2, trust_env=False, verify=trusted()).json()
    except (httpx.HTTPError, ValueError):
        return False
    healthy = all(parts.get(name, {}).get("status") == "healthy" for name in ("scheduler", "dag_processor"))
    return healthy and answers(f"{url}/execution/health")


def _stop_leftovers(data_dir: Path) -> None:
    """Stop processes with our mark: tasks that outlived the scheduler, and services of a killed run."""
    left = [process for process in psutil.process_iter() if _is_ours(process, data_dir)]
    for process in left:
        _signal(process.terminate)
    _, alive = psutil.wait_procs(left, timeout=5)
    for process in alive:
        _signal(process.kill)
    psutil.wait_procs(alive, timeout=5)


def _is_ours(process: psutil.Process, data_dir: Path) -> bool:
    try:
        return bool(process.pid != os.getpid() and process.environ().get(_MARK) == str(data_dir))
    except (psutil.Error, OSError):
        return False


def _signal(send: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        send()
