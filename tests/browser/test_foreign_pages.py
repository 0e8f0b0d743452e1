"""A web page of another origin, open in a browser on this machine: what it tries with the embedded services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, Response

from contextual_rag.embedded.services import Services
from contextual_rag.wiring import World
from tests.conftest import ServedSite
from tests.servers.faulty_site import FaultySite, page

KEY, BODY = "6_indexes/CURRENT", b"what answers"
# Sends each kind of request that a page may send; returns what it could read of the answers, or the classes of errors.
ATTACK = """
async ({store, key, site, milvus}) => {
  const said = {};
  const attempt = async (name, url, options) => {
    try { const answer = await fetch(url, options); said[name] = answer.type + ' ' + answer.status; }
    catch (error) { said[name] = error.name; }
  };
  await attempt('get', store + key);
  await attempt('get without cors', store + key, {mode: 'no-cors'});
  await attempt('list', store, {mode: 'no-cors'});
  await attempt('preflight', store + key, {method: 'PUT', headers: {'x-amz-acl': 'public-read'}, body: 'evil'});
  await attempt('put', store + key, {method: 'PUT', body: 'evil'});
  await attempt('delete', store + key, {method: 'DELETE'});
  await attempt('post', store + key, {method: 'POST', mode: 'no-cors', body: 'evil'});
  await attempt('reset', store + '/_ministack/reset', {method: 'POST', mode: 'no-cors'});
  await attempt('config', store + '/_ministack/config', {method: 'POST', mode: 'no-cors', body: '{}'});
  await attempt('health', store + '/_ministack/health');
  await attempt('edition', site + '/_edition', {method: 'PUT', body: '{"edition": 2}'});
  await attempt('edition by post', site + '/_edition', {method: 'POST', mode: 'no-cors', body: '{"edition": 2}'});
  await attempt('essay', site + '/ink.html', {mode: 'no-cors'});
  await attempt('milvus', milvus, {mode: 'no-cors'});
  await attempt('milvus by post', milvus + '/milvus.proto.milvus.MilvusService/DropCollection',
                {method: 'POST', mode: 'no-cors', body: 'evil'});
  said['websocket'] = await new Promise((resolve) => {
    const socket = new WebSocket(store.replace('http', 'ws'));
    socket.onopen = () => resolve('open');
    socket.onerror = () => resolve('refused');
  });
  const form = Object.assign(document.createElement('form'), {method: 'post', action: store + '/_ministack/reset'});
  const frame = Object.assign(document.createElement('iframe'), {name: 'frame'});
  document.body.append(frame, form);
  form.target = 'frame';
  await new Promise((resolve) => { frame.onload = resolve; form.submit(); });
  return said;
}
"""
# Of its own origin, as the browser sees it after a name was pointed to this machine.
REBOUND = """
async (requests) => {
  const statuses = [];
  for (const [method, path, body] of requests) statuses.push((await fetch(path, {method, body})).status);
  return statuses;
}
"""


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A browser without anything of ours."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def foreign(tab: Page) -> Iterator[Page]:
    """A page of another site of this machine; a page from elsewhere may do no more."""
    with FaultySite() as server:
        server.routes["/evil.html"] = page(b"<title>evil</title><body></body>")
        tab.goto(server.url("/evil.html").replace("127.0.0.1", "localhost"))
        yield tab


def test_reaches_neither_store_nor_site(foreign: Page, stores: Services, world: World, sample_site: ServedSite) -> None:
    world.store.put(KEY, BODY)
    store, milvus = stores.environment["AWS_ENDPOINT_URL"], stores.environment["MILVUS_URI"]
    site = sample_site.url.removesuffix("/articles.html")
    answers: list[Response] = []
    foreign.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - it marks what it gets
    told = {"store": store, "key": f"/{world.settings.bucket}/{KEY}", "site": site, "milvus": milvus}
    said: dict[str, Any] = foreign.evaluate(ATTACK, told)
    blind = {name: answer for name, answer in said.items() if answer.startswith("opaque")}
    assert set(said.values()) <= {"TypeError", "refused", "opaque 0"}, said
    assert blind.keys() >= {"get without cors", "reset", "post"}
    # What the page cannot see, the browser can: each of those was refused too.
    assert {urlsplit(answer.url).path: answer.status for answer in answers if answer.ok} == {}
    assert {answer.status for answer in answers} == {403}
    assert [f"{answer.request.method} {urlsplit(answer.url).path}" for answer in answers].count(
        "POST /_ministack/reset"
    ) == 2
    stored = world.store.get(KEY)
    assert stored
    assert stored.body == BODY
    assert httpx.get(f"{site}/_edition", trust_env=False).json()["edition"] == 1


def test_that_points_its_name_to_this_machine_is_refused_by_that_name(
    tab: Page, stores: Services, world: World, sample_site: ServedSite
) -> None:
    world.store.put(KEY, BODY)
    path = f"/{world.settings.bucket}/{KEY}"
    store = stores.environment["AWS_ENDPOINT_URL"].replace("127.0.0.1", "evil.localhost")
    opened = tab.goto(f"{store}{path}")
    assert opened
    assert opened.status == 403
    requests = [["GET", path, None], ["PUT", path, "evil"], ["DELETE", path, None], ["GET", "/", None]]
    requests += [["POST", "/_ministack/reset", ""], ["GET", "/_ministack/health", None]]
    assert tab.evaluate(REBOUND, requests) == [403] * len(requests)
    stored = world.store.get(KEY)
    assert stored
    assert stored.body == BODY

    opened = tab.goto(sample_site.url.replace("127.0.0.1", "evil.localhost"))
    assert opened
    assert opened.status == 403
    requests = [["GET", "/ink.html", None], ["PUT", "/_edition", json.dumps({"edition": 2})]]
    assert tab.evaluate(REBOUND, requests) == [403, 403]


def test_may_link_to_the_site_which_a_person_reads(foreign: Page, sample_site: ServedSite) -> None:
    foreign.set_content(f'<a href="{sample_site.url}">essays</a>')
    with foreign.expect_navigation() as navigation:
        foreign.click("a")
    assert navigation.value.status == 200
