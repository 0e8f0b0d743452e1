"""What the tests stand on: real services on loopback, a bucket for each test, served sites, a clean environment.

No test reaches any other address than this machine's (`--allow-hosts` in pyproject.toml), and none sees the settings of
whoever runs it.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import httpx
import hypothesis
import pytest
import uvicorn
from xdist.scheduler import LoadScopeScheduling

from contextual_rag.building.build import Built, build_all
from contextual_rag.building.order import Run
from contextual_rag.embedded.services import Services
from contextual_rag.embedded.site import create_app
from contextual_rag.settings import Settings, read_settings
from contextual_rag.wiring import World
from tests.chromium import browser, screenshots
from tests.forked import Forked
from tests.kept import Kept, keep
from tests.shared import shared_stores

# Fixtures of all folders: a second definition of the browser would be a second browser in one process.
__all__ = ["browser", "screenshots"]

ROOT = Path(__file__).parents[1]
SAMPLE_SITE = ROOT / "sample_site"
REAL_DATA = ROOT.parent / "shared" / "data"

# How long an example takes says nothing: the cores are shared with other workers, and with all that these start. A run
# draws other examples than the one before, so few in each are enough; HYPOTHESIS_PROFILE=thorough takes many at once.
for _profile, _examples in (("few", 25), ("thorough", 400)):
    hypothesis.settings.register_profile(
        _profile, deadline=None, max_examples=_examples, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))


# What asks about the sample site's first day, which each worker has to build for itself.
_OF_THE_FIRST_DAY = (
    "tests/integration/test_commands.py",
    "tests/integration/test_conversation_tools.py",
    "tests/integration/test_editions.py",
    "tests/integration/test_evaluate.py::TestAnIndexVersion",
    "tests/integration/test_mcp.py",
    "tests/integration/test_retune.py",
    "tests/integration/test_your_own_corpus.py",
    "tests/conversation/test_first_questions.py",
)


# What asks the one Airflow; the other tests of DAGs need none that runs.
_OF_AIRFLOW = ("tests/dags/test_build_index", "tests/dags/test_index_versions")


class ByServices(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a worker a whole file at a time, since its tests share services, and all that share one thing of weight."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_OF_AIRFLOW):
            return "one Airflow"
        return "the first day" if nodeid.startswith(_OF_THE_FIRST_DAY) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServices:
    """Share tests out so, with `pytest -n 4`."""
    return ByServices(config, log)


# The tier of a test is the folder that it stands in, or its file where that has another one.
_TIERS = {
    "tests/unit": ("unit",),
    "tests/app": ("unit",),
    "tests/contract": ("contract",),
    "tests/integration": ("service",),
    "tests/integration/test_kill.py": ("service", "chaos"),
    "tests/conversation": ("service",),
    "tests/conversation/test_chaos.py": ("service", "chaos"),
    "tests/faults": ("service",),
    "tests/faults/test_dying_stores.py": ("service", "chaos"),
    "tests/chaos": ("service", "chaos"),
    "tests/browser": ("service", "browser"),
    "tests/dags": ("airflow",),
    "tests/dags/test_build_index_seen.py": ("airflow", "browser"),
    "tests/dags/test_index_versions_seen.py": ("airflow", "browser"),
}
# Whatever the folder: this is what leads a test to real stores.
_REAL = {"stores", "scheduler"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier."""
    for item in items:
        path = item.path.relative_to(ROOT)
        place = next(str(one) for one in (path, *path.parents) if str(one) in _TIERS)
        tiers = set(_TIERS[place])
        if _REAL & set(getattr(item, "fixturenames", ())):
            tiers = tiers - {"unit"} | {"service"}
        for tier in sorted(tiers):
            item.add_marker(tier)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from looking again and again at the modules and tests, which stay to the end."""
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that the person at the keyboard has set decides a test; `.data` and `.env` are looked for elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("RAG_", "AWS_", "TOGETHER_", "MILVUS_", "AIRFLOW")):
                patch.delenv(name)
        patch.setenv("RAG_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        # Each process that answers would load the model; what it does has tests of its own.
        patch.setenv("RAG_QUOTE_MODEL", "none")
        yield


@pytest.fixture(scope="session")
def data_dirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Names of folders, of which none is made before a test needs it: most need none."""
    folder = tmp_path_factory.mktemp("data")
    return (str(folder / str(number)) for number in count())


@pytest.fixture(autouse=True)
def own_data_dir(monkeypatch: pytest.MonkeyPatch, data_dirs: Iterator[str]) -> None:
    """What a test leaves in `.data` is its own."""
    monkeypatch.setenv("RAG_DATA_DIR", next(data_dirs))


@pytest.fixture(autouse=True)
def own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's tests leave a script of theirs as `__main__`, which every process started later would run first."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Services:
    """The object store and Milvus, running for the whole session and shared by all workers of xdist."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent
    # Not at the end of a test, which has a time limit: whoever started them waits for the other workers.
    stack = ExitStack()
    request.config.add_cleanup(stack.close)
    return stack.enter_context(shared_stores(folder))


@pytest.fixture
def environment(stores: Services, tmp_path: Path) -> dict[str, str]:
    """Variables that lead a process to the stores and to a bucket of this test's own."""
    return environment_of(stores, settings_of(stores, tmp_path / "data"))


@pytest.fixture
def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of those variables."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return read_settings()


@pytest.fixture
def world(settings: Settings) -> World:
    """Real ports on the stores, with an empty bucket."""
    return World(settings)


class ServedSite:
    """A folder of pages served on loopback by the project's own site server."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/articles.html"
        self._edition_url = f"{url}/_edition"

    def show(self, edition: int) -> None:
        """Change to another day's edition."""
        httpx.put(self._edition_url, json={"edition": edition}, trust_env=False).raise_for_status()


@pytest.fixture
def serve() -> Iterator[Callable[[Path], ServedSite]]:
    """Serve folders until the test ends."""
    with ExitStack() as stack:
        yield lambda root: ServedSite(stack.enter_context(_served(root)))


@contextmanager
def _served(root: Path) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(create_app(root), port=0, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def session_site() -> Iterator[ServedSite]:
    """One sample site for the session: essays are known by their URLs, port included."""
    with _served(SAMPLE_SITE) as url:
        yield ServedSite(url)


@pytest.fixture
def sample_site(session_site: ServedSite) -> ServedSite:
    """The sample site, on its first day."""
    session_site.show(1)
    return session_site


class FirstDay(NamedTuple):
    """The sample site's first day: where it was built, what the command said, and all that it left."""

    world: World
    rag: Rag
    said: dict[str, Any]
    built: Built
    kept: Kept


@pytest.fixture(scope="session")
def first_day(stores: Services, session_site: ServedSite, tmp_path_factory: pytest.TempPathFactory) -> FirstDay:
    """The first day, built once by the command line."""
    session_site.show(1)
    world = World(settings_of(stores, tmp_path_factory.mktemp("first_day")))
    rag = Rag(environment_of(stores, world.settings))
    said = rag.json("build", "--source", session_site.url)
    # Nothing is made again: this is only what was built, in the form that the tests know.
    built = build_all(world.steps, Run(day=datetime.now(UTC).date(), by="tests", source=session_site.url))
    assert (built.version, built.work.embedded) == (said["version"], 0)
    return FirstDay(world, rag, said, built, keep(world))


@pytest.fixture
def built(first_day: FirstDay, world: World, sample_site: ServedSite) -> Built:
    """The first day in this test's own bucket and collection, without any model having been asked again."""
    first_day.kept.put(world)
    return first_day.built


def settings_of(stores: Services, data_dir: Path) -> Settings:
    """Settings that lead to the stores and to a new bucket."""
    return stores.settings().model_copy(
        update={"bucket": f"test-{uuid.uuid4().hex[:12]}", "data_dir": data_dir, "request_interval_s": 0.0}
    )


def environment_of(stores: Services, settings: Settings) -> dict[str, str]:
    """Variables that lead a process to the stores and to the bucket of these settings."""
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MILVUS_URI")
    return {name: stores.environment[name] for name in names} | {
        "RAG_BUCKET": settings.bucket,
        "RAG_DATA_DIR": str(settings.data_dir),
        "RAG_REQUEST_INTERVAL_S": "0",
    }


@pytest.fixture
def real_site(serve: Callable[[Path], ServedSite]) -> ServedSite:
    """The real index page and 25 real essays, where they are at hand."""
    pages = REAL_DATA / "paulgraham_site"
    if not pages.is_dir():
        pytest.skip("the real pages are not at ../shared/data/paulgraham_site")
    return serve(pages)


class Rag:
    """The command `rag`, run as a process of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the installed script in a process group of its own."""
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "rag"), *arguments],
            env=self._environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def fork(self, *arguments: str, **environment: str) -> Forked:
        """Start a command whose imports were made before."""
        return Forked(arguments, self._environment(environment))

    def _environment(self, other: Mapping[str, str]) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("RAG_", "TOGETHER_"))}
        return {**clean, **self.environment, **other}

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.fork(*arguments, **environment)
        out, err = process.communicate(timeout=240)
        return subprocess.CompletedProcess(process.args, process.returncode or 0, out, err)

    def json(self, *arguments: str, **environment: str) -> Any:
        """Run a command that must succeed; return what it printed as JSON."""
        done = self.run(*arguments, "--json", **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def rag(environment: dict[str, str]) -> Rag:
    """The command `rag` on this test's bucket."""
    return Rag(environment)
