"""Starts and stops the services of docker-compose.yaml as processes, each with the settings that stand there.

What differs from containers: ports are free ones, addresses are loopback's, the object store and Milvus are the
embedded ones, and each process has a folder of its own where a container has a volume or a disk of its own.
"""

from __future__ import annotations

import os
import pwd
import random
import re
import runpy
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psutil
from honcho.environ import parse_procfile

from bench.deployment.compose import Compose
from contextual_rag.embedded.airflow import Airflow
from contextual_rag.embedded.loopback import answers, free_port, is_free, listens
from contextual_rag.embedded.processes import Processes
from contextual_rag.settings import PROJECT, Settings, read_settings

__all__ = ["AIRFLOW", "PAGE", "Deployment", "missing", "running", "stores"]

AIRFLOW: Final = PROJECT / ".venv-airflow" / "bin"
PAGE: Final = PROJECT / ".venv-page" / "bin"
_PROGRAMS: Final = ("initdb", "postgres", "psql", "redis-server", "haproxy")
_PORTS: Final = {
    "postgres": 5432,
    "redis": 6379,
    "seaweedfs": 8333,
    "milvus": 19530,
    "site": 8100,
    "api-server": 8080,
    "balancer": 8501,
}
_OWN_PORTS: Final = ("page-1", "page-2", "balancer health", "scheduler health", "metrics")
_STORES: Final = ("postgres", "redis", "seaweedfs", "milvus", "site")
_CONTROL: Final = ("api-server", "scheduler", "dag-processor", "triggerer", "celery-worker-1", "celery-worker-2")
_AIRFLOW: Final = ("api-server", "scheduler", "dag-processor", "triggerer", "celery-worker")
_ANSWERING: Final = ("page-1", "page-2", "worker-1", "worker-2", "balancer")
_READY_S: Final = 240.0


def missing() -> list[str]:
    """Return the programs and environments that a deployment needs and that are not here."""
    wanted = [name for name in _PROGRAMS if not shutil.which(name)]
    return wanted + [str(folder.parent) for folder in (AIRFLOW, PAGE) if not (folder / "python").exists()]


class Deployment:
    """The running processes, by name."""

    def __init__(self, folder: Path, dotenv: Mapping[str, str]) -> None:
        folder.chmod(0o755)  # PostgreSQL's user passes through it
        self.folder, self._dotenv = folder, dict(dotenv)
        self.secrets = folder / "secrets"
        # No outgoing connection takes such a port while its service is away.
        free = filter(is_free, random.sample(range(20_000, 32_000), 2_000))
        self.ports = dict(zip((*_PORTS, *_OWN_PORTS), free, strict=False))
        self.processes = Processes(folder / "logs")
        # A copy, so that a day can be added.
        self.site = folder / "site-pages"
        shutil.copytree(PROJECT / "sample_site", self.site, dirs_exist_ok=True)
        places = {f"{name}:{port}": f"127.0.0.1:{self.ports[name]}" for name, port in _PORTS.items()}
        places |= {f"127.0.0.1:{_PORTS[name]}": f"127.0.0.1:{self.ports[name]}" for name in ("api-server", "balancer")}
        places |= {"localhost:8080": places["api-server:8080"]}
        places |= {"localhost:8974": f"127.0.0.1:{self.ports['scheduler health']}"}
        places |= {"/run/secrets": str(self.secrets), "/app": str(PROJECT)}
        chosen = {"AIRFLOW_UID": str(os.getuid()), "AIRFLOW_EXECUTOR": "CeleryExecutor"}
        self.compose = Compose(chosen | self._dotenv, places)
        runpy.run_path(str(PROJECT / "docker" / "make_secrets.py"))["main"](self.secrets)
        for secret in self.secrets.iterdir():
            secret.write_text(self.compose.here(secret.read_text()))

    def secret(self, name: str) -> str:
        """Return a secret."""
        return (self.secrets / name).read_text()

    def environment(self, service: str, name: str | None = None) -> dict[str, str]:
        """Return the variables of a service; those of one of several by its name."""
        own = self._own(name or service)
        variables = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "SPT_NOENV": "1"}
        variables |= self._dotenv | self.compose.environment(service)
        variables |= {"RAG_SECRETS_DIR": str(self.secrets), "RAG_DATA_DIR": str(own / "data"), "HOME": str(own)}
        if "AIRFLOW__CORE__EXECUTOR" in variables:
            variables |= {
                "PATH": f"{AIRFLOW}:{os.environ['PATH']}",
                "AIRFLOW_HOME": str(own),
                # What the image sets.
                "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
                "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
                # Where each container has its own.
                "AIRFLOW__API__PORT": str(self.ports["api-server"]),
                "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.ports["scheduler health"]),
                "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
                "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
                # On one small machine.
                "AIRFLOW__API__WORKERS": "1",
                "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
                "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            }
        return variables

    def settings(self) -> Settings:
        """Return the settings of the deployment, for what is measured here."""
        variables = self.compose.environment("rag")
        names = ("AWS_ENDPOINT_URL", "MILVUS_URI", "RAG_BUCKET", "RAG_SOURCE_URL")
        fields: dict[str, Any] = {name.removeprefix("RAG_").lower(): variables[name] for name in names}
        fields |= {name.lower(): key for name, key in self._keys().items()}
        return read_settings(data_dir=self._own("here"), milvus_token=self.secret("MILVUS_TOKEN"), **fields)

    def start(self, *names: str) -> None:
        """Start services; of several of one, by name and number."""
        for name in names:
            service = name.rstrip("-0123456789")
            match service:
                case "postgres":
                    self._new_database()
                case "redis":
                    self._configured_redis()
                case "balancer":
                    self._configured_balancer()
            environment = self.environment(service, name) | self._of_embedded(service)
            self.processes.start(name, self._command(service, name), folder=PROJECT, environment=environment)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a service and to all that it started; after SIGKILL it is gone."""
        process = psutil.Process(self.processes.pids[name])
        family = [*process.children(recursive=True), process]
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(number)
        if number == signal.SIGKILL:
            psutil.wait_procs(family, timeout=10)

    def restart(self, name: str) -> None:
        """Start a service again that was killed, and wait until it answers."""
        self.start(name)
        self.wait(name)

    def revive(self) -> list[str]:
        """Start again what ended by itself, as Docker does, until all run; return what it was."""
        revived: list[str] = []
        deadline = time.monotonic() + _READY_S
        while gone := [name for name in self.processes.pids if self._is_over(name)]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{', '.join(gone)} end again and again; see {self.folder / 'logs'}")
            self.start(*gone)
            revived += gone
            self.wait(*gone)
        return sorted(set(revived))

    def wait(self, *names: str) -> None:
        """Wait until services answer. Raises TimeoutError with the end of a log."""
        deadline = time.monotonic() + _READY_S
        for name in names:
            while not self._answers(name):
                if self._is_over(name) or time.monotonic() > deadline:
                    raise TimeoutError(f"{name} does not answer; see {self.folder / 'logs' / name}.log")
                time.sleep(0.2)

    def airflow(self) -> Airflow:
        """Return a client of Airflow; close it after use."""
        url, password = f"http://127.0.0.1:{self.ports['api-server']}", self.secret("airflow_admin_password")
        return Airflow(url, password, timeout_s=120)  # a busy machine is not what is tried

    def run(self, *command: str, service: str = "rag", seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as `docker compose run --rm` does."""
        options: dict[str, Any] = {
            "capture_output": True,
            "text": True,
            "timeout": seconds,
            "env": self.environment(service),
        }
        return subprocess.run(command, cwd=PROJECT, check=False, **options)  # noqa: S603

    def healthy(self, name: str) -> bool:
        """Run the health check of a service, as Docker does in its container."""
        service = name.rstrip("-0123456789")
        port = f"127.0.0.1:{self.ports.get(name)}"
        command = [part.replace("127.0.0.1:8501", port) for part in self.compose.health_check(service)]
        command = [part.replace(f"127.0.0.1:{self.ports['balancer']}", port) for part in command]
        host = name if service == "celery-worker" else socket.gethostname()
        programs = AIRFLOW if service in _AIRFLOW else PAGE
        own = {"HOSTNAME": host, "PATH": f"{programs}:{os.environ['PATH']}"}
        environment = self.environment(service, name) | own
        return subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, check=False).returncode == 0  # noqa: S603

    def ill(self, name: str) -> bool:
        """Whether the health check of a service says that it is not well."""
        return not self.healthy(name)

    def _own(self, name: str) -> Path:
        own = self.folder / name
        own.mkdir(mode=0o755, exist_ok=True)
        return own

    def _command(self, service: str, name: str) -> str:
        asked, own, port = " ".join(self.compose.command(service)), self._own(name), self.ports.get(name)
        procfile: dict[str, str] = parse_procfile((PROJECT / "Procfile").read_text("utf-8")).processes
        commands = {
            "postgres": f"exec {_as_postgres()} {shutil.which('postgres')} -D {own}/data -p {port} -k {own}/data "
            "-c listen_addresses=127.0.0.1 -c max_connections=300",
            "redis": f"exec redis-server {own}/redis.conf",
            "seaweedfs": procfile["object-store"],
            "milvus": procfile["milvus"],
            # Its days can be changed, which the container's cannot.
            "site": f"exec {PAGE}/python -m contextual_rag.embedded.site --root {self.site} --port {port}",
            "balancer": f"exec haproxy -db -f {own}/haproxy.cfg",
            "page": f"exec {PAGE}/rag page --port {port}",
            "worker": f"exec {PAGE}/rag {asked}",
            "api-server": f"exec {AIRFLOW}/airflow {asked} --host 127.0.0.1",
            "celery-worker": f"exec {AIRFLOW}/airflow {asked} --celery-hostname {name}",
        }
        return commands.get(service, f"exec {AIRFLOW}/airflow {asked}")

    def _of_embedded(self, service: str) -> dict[str, str]:
        """Return the variables by which the embedded stores stand for those of the containers."""
        if service == "seaweedfs":
            return self._keys() | {"RAG_OBJECT_STORE_PORT": str(self.ports["seaweedfs"])}
        return {"RAG_MILVUS_PORT": str(self.ports["milvus"])} if service == "milvus" else {}

    def _is_over(self, name: str) -> bool:
        """Whether a service has ended by itself."""
        try:
            return psutil.Process(self.processes.pids[name]).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def _takes_queries(self) -> bool:
        """Whether PostgreSQL has recovered what it had not written."""
        asked = [shutil.which("pg_isready") or "pg_isready", "-h", "127.0.0.1", "-p", str(self.ports["postgres"])]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0  # noqa: S603

    def _keys(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.secret("s3_access_key"),
            "AWS_SECRET_ACCESS_KEY": self.secret("s3_secret_key"),
        }

    def _new_database(self) -> None:
        """Make PostgreSQL's files if they are not there yet."""
        own = self._own("postgres")
        if (own / "data").exists():
            return
        password = own / "password"
        password.write_text(self.secret("postgres_password"))
        if os.geteuid() == 0:  # the server refuses to run as root
            owner = pwd.getpwnam("postgres")
            for path in (own, password):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        options = f"-U postgres -E UTF8 --locale=C.UTF-8 --auth=scram-sha-256 --pwfile={password}"
        command = f"{_as_postgres()} {shutil.which('initdb')} -D {own}/data {options}".split()
        subprocess.run(command, check=True, capture_output=True, cwd="/")  # noqa: S603

    def databases(self) -> None:
        """Create databases and roles by the script of the container."""
        script = self.compose.here((PROJECT / "docker" / "databases.sh").read_text("utf-8"))
        own = {"PGHOST": "127.0.0.1", "PGPORT": str(self.ports["postgres"])}
        own |= {"PGPASSWORD": self.secret("postgres_password")}
        subprocess.run(["bash", "-c", script], env=os.environ | own, check=True, capture_output=True)  # noqa: S603, S607

    def init(self) -> None:
        """Run what others wait for, by the script of the container."""
        script = self.compose.here((PROJECT / "docker" / "init.sh").read_text("utf-8"))
        made = self.run("bash", "-c", script, service="init")
        if made.returncode:
            raise RuntimeError(f"init failed:\n{made.stdout[-2000:]}\n{made.stderr[-2000:]}")

    def _configured_redis(self) -> None:
        own = self._own("redis")
        lines = (f"requirepass {self.secret('redis_password')}", f"port {self.ports['redis']}", "bind 127.0.0.1")
        (own / "redis.conf").write_text("\n".join((*lines, "appendonly yes", f"dir {own}", "")))

    def _configured_balancer(self) -> None:
        """Write the configuration of the container, with two known pages in place of those that Docker's DNS names."""
        text = (PROJECT / "docker" / "haproxy.cfg").read_text("utf-8")
        names = ("page-1", "page-2")
        pages = "\n".join(f"  server {page} 127.0.0.1:{self.ports[page]} check inter 1s" for page in names)
        text = re.sub(r"^  server-template .*$", pages, text, flags=re.MULTILINE)
        text = re.sub(r"^resolvers .*?\n\n", "", text, flags=re.MULTILINE | re.DOTALL)
        for there, here in {"8500": "balancer health", "8501": "balancer", "8502": "metrics"}.items():
            text = re.sub(rf"bind (127\.0\.0\.1)?:{there}\b", f"bind 127.0.0.1:{self.ports[here]}", text)
        text = self.compose.here(text)
        (self._own("balancer") / "haproxy.cfg").write_text(text)

    def _answers(self, name: str) -> bool:
        url = f"http://127.0.0.1:{self.ports.get(name)}"
        checks: dict[str, Callable[[], bool]] = {
            "seaweedfs": lambda: answers(f"{url}/_ministack/health"),
            "site": lambda: answers(f"{url}/articles.html"),
            "postgres": self._takes_queries,
            "api-server": lambda: answers(f"{url}/api/v2/monitor/health"),
            "page-1": lambda: answers(f"{url}/api/health"),
            "page-2": lambda: answers(f"{url}/api/health"),
            "balancer": lambda: answers(f"{url}/api/health"),
        }
        return checks.get(name, lambda: listens(self.ports[name]) if name in self.ports else True)()


def _as_postgres() -> str:
    return "setpriv --reuid=postgres --regid=postgres --clear-groups" if os.geteuid() == 0 else ""


@contextmanager
def running(folder: Path, say: Callable[[str], None], dotenv: Mapping[str, str]) -> Iterator[Deployment]:
    """Run everything until the block ends, and then stop all of it in any case. `dotenv` is what `.env` would say."""
    deployment = Deployment(folder, dotenv)
    try:
        deployment.start(*_STORES)
        deployment.wait(*_STORES)
        say("stores are ready")
        deployment.databases()
        deployment.init()
        say("Airflow's database is ready")
        deployment.start(*_CONTROL)
        deployment.wait(*_CONTROL)
        say("Airflow is ready")
        deployment.start(*_ANSWERING)
        deployment.wait(*_ANSWERING)
        say("pages and workers are ready")
        yield deployment
    finally:
        deployment.processes.stop()


@contextmanager
def stores(folder: Path, like: Deployment) -> Iterator[Deployment]:
    """Run the stores of another deployment with the secrets of one, all of them empty."""
    shutil.copytree(like.secrets, folder / "secrets")
    deployment = Deployment(folder, {})
    wanted = ("postgres", "seaweedfs", "milvus")
    try:
        deployment.start(*wanted)
        deployment.wait(*wanted)
        yield deployment
    finally:
        deployment.processes.stop()
