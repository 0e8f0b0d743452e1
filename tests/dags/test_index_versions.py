"""The page "Index versions" and the DAGs that change what answers, by a real Airflow and its real permissions."""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Iterator
from hashlib import sha512

import httpx
import psutil
import pytest

from bench.days import FIRST, build_day, keep_day
from contextual_rag import keys
from contextual_rag.embedded.airflow import USER
from contextual_rag.errors import ServiceUnavailableError
from contextual_rag.objects import require
from contextual_rag.versions.records import Manifest, Pointer
from tests.conftest import Rag
from tests.dags.conftest import Finished, Scheduler, is_of

pytestmark = pytest.mark.timeout(600)

PAGE = "/index-versions/"
ESSAYS = {
    "harbour": "The harbour freezes in March.\n\nNobody sails then, and the ropes are mended.",
    "lamp": "A lamp needs oil twice a day.\n\nThe keeper writes down when he gave it.",
}


@pytest.fixture(scope="module", autouse=True)
def nothing_built(scheduler: Scheduler) -> None:
    """What other tests of this Airflow built is gone."""
    scheduler.empty()


@pytest.fixture(scope="module")
def versions(scheduler: Scheduler) -> tuple[Manifest, Manifest]:
    """Two versions: on the second day one essay was edited and one is new."""
    world = scheduler.world
    keep_day(world, FIRST, ESSAYS)
    edited = {**ESSAYS, "lamp": f"{ESSAYS['lamp']}\n\nOn Sundays he forgets.", "tide": "The tide table is wrong."}
    second_day = FIRST.replace(day=2)
    keep_day(world, second_day, edited)
    older = build_day(world, FIRST, promote=True)
    newer = build_day(world, second_day, promote=True)
    return world.registry.manifest(older.version), world.registry.manifest(newer.version)


class Visitor:
    """Whoever asks for the page: with the token of a user, or with none."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url
        self._headers = {"Accept": "text/html"} | ({"Cookie": f"_token={token}"} if token else {})

    def ask(self, path: str = PAGE, **query: str) -> httpx.Response:
        """Ask for a page as a browser does, without following where it is sent."""
        return httpx.get(f"{self._url}{path}", params=query, headers=self._headers, timeout=60, trust_env=False)


def token_of(scheduler: Scheduler) -> str:
    """What Airflow gives the user of the embedded services at login."""
    services = scheduler.services
    answer = httpx.post(
        f"{services.airflow_url}/auth/token",
        json={"username": USER, "password": services.airflow_password},
        trust_env=False,
    )
    return str(answer.json()["access_token"])


def token_with(scheduler: Scheduler, role: str | None) -> str:
    """A token that Airflow itself could have given, of a user with another role."""
    header, claims, _ = token_of(scheduler).split(".")
    assert json.loads(decoded(header))["alg"] == "HS512"
    changed = json.loads(decoded(claims)) | {"sub": "visitor", "role": role}
    signed = f"{header}.{encoded(json.dumps(changed).encode())}"
    secret = scheduler.services.environment["AIRFLOW__API_AUTH__JWT_SECRET"]
    return f"{signed}.{encoded(hmac.digest(secret.encode(), signed.encode(), sha512))}"


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def admin(scheduler: Scheduler) -> Visitor:
    """Who may do everything."""
    return Visitor(scheduler.services.airflow_url, token_of(scheduler))


class TestWhoMaySeeIt:
    @pytest.mark.parametrize("path", [PAGE, f"{PAGE}openapi.json", f"{PAGE}docs", f"{PAGE}redoc", f"{PAGE}page.css"])
    def test_nobody_without_a_login(self, scheduler: Scheduler, versions: tuple[Manifest, Manifest], path: str) -> None:
        visitor = Visitor(scheduler.services.airflow_url)
        older, newer = (manifest.version for manifest in versions)
        refused = 401 if path == PAGE else 404
        answer = visitor.ask(path)
        assert answer.status_code == refused
        self.check_that_nothing_is_revealed(answer, versions)
        answer = visitor.ask(path, old=older, new=newer)
        assert answer.status_code == refused
        assert "tide" not in answer.text

    def test_nobody_with_a_token_that_another_signed(
        self, scheduler: Scheduler, versions: tuple[Manifest, Manifest]
    ) -> None:
        forged = token_with(scheduler, "admin")[:-8] + "AAAAAAAA"
        answer = Visitor(scheduler.services.airflow_url, forged).ask()
        assert answer.status_code in {401, 403}
        self.check_that_nothing_is_revealed(answer, versions)

    def test_no_user_without_a_role(self, scheduler: Scheduler, versions: tuple[Manifest, Manifest]) -> None:
        answer = Visitor(scheduler.services.airflow_url, token_with(scheduler, None)).ask()
        assert answer.status_code == 403
        assert "build_index" in answer.text
        self.check_that_nothing_is_revealed(answer, versions)

    def check_that_nothing_is_revealed(self, answer: httpx.Response, versions: tuple[Manifest, Manifest]) -> None:
        names = [name for manifest in versions for name in (manifest.version, manifest.recipe.fingerprint)]
        assert [name for name in (*names, *ESSAYS) if name in answer.text] == []

    def test_who_may_read_sees_it_and_is_not_led_to_the_form(
        self, scheduler: Scheduler, versions: tuple[Manifest, Manifest]
    ) -> None:
        answer = Visitor(scheduler.services.airflow_url, token_with(scheduler, "viewer")).ask()
        assert answer.status_code == 200
        assert versions[0].version in answer.text
        assert "/dags/manage_index" not in answer.text

    def test_who_may_run_dags_is_led_to_the_form(self, scheduler: Scheduler) -> None:
        answer = Visitor(scheduler.services.airflow_url, token_with(scheduler, "user")).ask()
        assert 'href="/dags/manage_index"' in answer.text


class TestWhatItShows:
    def test_every_version_with_its_figures(self, admin: Visitor, versions: tuple[Manifest, Manifest]) -> None:
        page = admin.ask().text
        rows = {
            found[1]: found[0]
            for found in re.finditer(r'<tr role="row".*?<span class="id">(.*?)</span>.*?</tr>', page, re.S)
        }
        for manifest in versions:
            row = rows[manifest.version]
            assert manifest.recipe.fingerprint in row
            assert re.search(rf'data-label="Chunks"[^>]*>{manifest.chunks}<', row)
            assert manifest.logical_date.isoformat() in row
        assert f"?old={versions[0].version}&amp;new={versions[1].version}#compare" in rows[versions[1].version]

    def test_what_answers_and_what_is_pinned(
        self, scheduler: Scheduler, admin: Visitor, versions: tuple[Manifest, Manifest]
    ) -> None:
        older, newer = (manifest.version for manifest in versions)
        registry = scheduler.world.registry
        registry.promote(newer, by="tests", why="Try the <b>newer</b> one & see")
        registry.pin(older, by="tests", why="keep it")
        try:
            page = admin.ask().text
        finally:
            registry.unpin(older, by="tests", why="kept long enough")
        marks = dict(re.findall(r'<span class="id">([^<]*)</span> \s*<span class="badge (\w+)">', page))
        assert (marks[newer], marks[older]) == ("current", "pinned")
        assert "Try the &lt;b&gt;newer&lt;/b&gt; one &amp; see" in page

    def test_what_differs_between_two(self, admin: Visitor, versions: tuple[Manifest, Manifest]) -> None:
        older, newer = (manifest.version for manifest in versions)
        answer = admin.ask(old=older, new=newer)
        assert answer.status_code == 200
        assert '<li class="added">tide</li>' in answer.text
        assert '<li class="changed">lamp</li>' in answer.text
        assert ">harbour<" not in answer.text

    def test_plots_over_time(self, admin: Visitor, versions: tuple[Manifest, Manifest]) -> None:
        page = admin.ask().text
        assert page.count("<svg") >= 2
        assert re.search(r'aria-label="Size: chunks from [\d,]+ to [\d,]+; MB from', page)
        for reference in re.findall(r'(?:href="#|url\(#)([^")]+)', page):
            assert len(re.findall(f'id="{re.escape(reference)}"', page)) == 1, reference

    def test_only_what_it_brings_itself(self, admin: Visitor, versions: tuple[Manifest, Manifest]) -> None:
        answer = admin.ask()
        policy = answer.headers["Content-Security-Policy"]
        nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
        assert nonce
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert re.findall(r'<(?:style|script) nonce="([^"]*)"', answer.text) == [nonce[1], nonce[1]]
        assert not re.search(r'\sstyle="|\son\w+="|(?:src|href)="(?:https?:)?//', answer.text)
        assert answer.headers["Cache-Control"] == "no-store"
        assert nonce[1] not in admin.ask().text


class TestWhatIsWrong:
    def test_a_version_that_is_not_there_is_named(self, admin: Visitor, versions: tuple[Manifest, Manifest]) -> None:
        answer = admin.ask(old=versions[0].version, new="<script>alert(1)</script>")
        assert answer.status_code == 404
        assert "There is no index version &#39;&lt;script&gt;alert(1)&lt;/script&gt;&#39;" in answer.text
        assert "<script>alert" not in answer.text

    @pytest.fixture
    def damaged(self, scheduler: Scheduler, versions: tuple[Manifest, Manifest]) -> Iterator[None]:
        """A pointer that cannot be read."""
        store = scheduler.world.store
        stored = store.get(keys.CURRENT)
        assert stored
        store.put(keys.CURRENT, b"{")
        yield
        store.put(keys.CURRENT, stored.body)

    @pytest.mark.usefixtures("damaged")
    def test_a_damaged_object_is_named_with_the_repair(self, admin: Visitor) -> None:
        answer = admin.ask()
        assert answer.status_code == 500
        assert "6_indexes/CURRENT" in answer.text
        assert "Traceback" not in answer.text

    @pytest.fixture
    def silent_store(self, scheduler: Scheduler) -> Iterator[None]:
        """An object store that takes requests and does not answer."""
        found = [
            process
            for process in psutil.process_iter()
            if is_of(process, scheduler.services.data_dir)
            and any("embedded.object_store" in p for p in process.cmdline())
        ]
        for process in found:
            process.suspend()
        yield
        for process in found:
            process.resume()

    @pytest.mark.usefixtures("silent_store")
    def test_a_store_that_does_not_answer_is_named(self, scheduler: Scheduler, admin: Visitor) -> None:
        answer = admin.ask()
        assert answer.status_code == 503
        endpoint = scheduler.services.environment["AWS_ENDPOINT_URL"]
        assert f"The object store at {endpoint} does not answer" in answer.text
        assert "Traceback" not in answer.text


def run(scheduler: Scheduler, dag: str, **conf: object) -> Finished:
    """Run one of the DAGs of a single task to its end."""
    airflow = scheduler.airflow
    airflow.unpause(dag)
    started = airflow.trigger(dag, conf)
    state = airflow.ended(dag, started)
    instances = airflow.instances(dag, started)
    return Finished(started, state, instances, airflow.returned(dag, started, instances[0]["task_id"]))


def manage(scheduler: Scheduler, action: str, version: str | None = None, reason: str = "a good one") -> Finished:
    """Trigger manage_index with its form filled in."""
    return run(scheduler, "manage_index", action=action, version=version, reason=reason)


def refusal(scheduler: Scheduler, finished: Finished) -> str:
    """What the only task of a run said when it failed, at its first attempt."""
    (instance,) = finished.instances
    assert (finished.state, instance["state"], instance["try_number"]) == ("failed", "failed", 1)
    return scheduler.airflow.failure("manage_index", finished.id, "manage", -1, 1)


def pointer(scheduler: Scheduler) -> Pointer:
    """What CURRENT says."""
    return require(scheduler.world.store, keys.CURRENT, Pointer)


class TestManageIndex:
    def test_promotes_and_records_who_and_why(self, scheduler: Scheduler, versions: tuple[Manifest, Manifest]) -> None:
        older, newer = (manifest.version for manifest in versions)
        scheduler.world.registry.promote(older, by="tests", why="to begin with")
        before = len(scheduler.events())
        done = manage(scheduler, "promote", newer, "it reads better")
        assert done.state == "success"
        assert done.published
        assert newer in done.published["message"]
        now = pointer(scheduler)
        assert (now.version, now.action, now.changed_by, now.why) == (newer, "promote", USER, "it reads better")
        (event,) = scheduler.events()[before:]
        assert event["name"] == "essay_index"
        assert event["extra"].items() >= {"from": older, "to": newer, "why": "it reads better", "by": USER}.items()

    def test_hears_of_a_promotion_from_the_command_line_and_not_of_one_that_changes_nothing(
        self, scheduler: Scheduler, versions: tuple[Manifest, Manifest]
    ) -> None:
        older, newer = (manifest.version for manifest in versions)
        scheduler.world.registry.promote(newer, by="tests", why="to begin with")
        before = len(scheduler.events())
        for _ in range(2):
            done = Rag({"RAG_DATA_DIR": str(scheduler.services.data_dir)}).run("promote", older, "--why", "by hand")
            assert (done.returncode, done.stderr) == (0, "")
        (event,) = scheduler.events()[before:]
        assert event["name"] == "essay_index"
        assert event["extra"].items() >= {"from": newer, "to": older, "why": "by hand", "action": "promote"}.items()

    def test_changes_nothing_for_a_version_that_is_not_there(
        self, scheduler: Scheduler, versions: tuple[Manifest, Manifest]
    ) -> None:
        before, events = pointer(scheduler), scheduler.events()
        assert "There is no index version" in refusal(scheduler, manage(scheduler, "promote", "2026-01-01-00000000"))
        assert (pointer(scheduler), scheduler.events()) == (before, events)

    def test_does_not_start_without_a_reason(self, scheduler: Scheduler) -> None:
        scheduler.airflow.unpause("manage_index")
        with pytest.raises(ServiceUnavailableError, match=r"HTTP 400.*reason"):
            scheduler.airflow.trigger("manage_index", {"action": "prune"})


class TestPruneIndex:
    def test_prunes_in_the_name_of_who_triggered_it(
        self, scheduler: Scheduler, versions: tuple[Manifest, Manifest]
    ) -> None:
        assert run(scheduler, "prune_index").state == "success"
