"""What the site gets wrong: the index page ends the build with a reason, an essay is left out with one."""

from __future__ import annotations

import json
import random
import re

from contextual_rag.building.build import Built
from contextual_rag.settings import Settings
from contextual_rag.wiring import World
from tests.faults.commands import Commands, answers, error_of
from tests.faults.small_site import QUESTION, SLUGS, essay_page, index_page, index_url
from tests.servers.faulty_site import FaultySite, drip, endless, moved, page, status

_HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"


class TestTheIndexPage:
    def test_that_cannot_be_followed_is_named_with_what_came_and_nothing_changes(
        self, commands: Commands, published: Built, small_site: FaultySite, settings: Settings
    ) -> None:
        for reply, kind, named in (
            (page(b""), "Source", "0 bytes"),
            (page(b"%PDF-1.7\n\x00\x01\x02"), "Source", "12 bytes"),
            (page(b"{}", "application/json"), "Source", "2 bytes"),
            (status(404), "Source", "404"),
            (status(500), "PageUnavailable", "500"),
        ):
            small_site.routes["/articles.html"] = reply
            small_site.seen.clear()
            error = commands.fails("build", "--source", index_url(small_site))
            assert error.startswith(f"{kind}: ")
            assert named in error
            assert index_url(small_site) in error
            assert small_site.paths() == ["/articles.html"]
        assert answers(settings) == published.version

    def test_that_lost_two_of_five_essays_is_refused_with_the_figures_and_current_stays(
        self, commands: Commands, published: Built, small_site: FaultySite, world: World
    ) -> None:
        small_site.routes["/articles.html"] = page(index_page(SLUGS[:3]))
        done = commands.run("build", "--source", index_url(small_site), "--json")
        error = error_of(done)
        assert all(name in error for name in (" 3 ", "5", "40%", "RAG_MAX_SHRINK_SHARE"))
        assert not json.loads(done.stdout)["published"]
        assert world.registry.names() == [published.version]
        asked = commands.succeeds("ask", QUESTION)
        assert asked["version"] == published.version
        assert asked["citations"]
        small_site.routes["/articles.html"] = page(index_page(SLUGS))
        assert commands.succeeds("build", "--source", index_url(small_site))["embedded"] == 0


class TestAnEssay:
    def test_that_cannot_be_read_is_left_out_by_itself_with_its_reason(
        self, commands: Commands, small_site: FaultySite, settings: Settings
    ) -> None:
        with FaultySite() as elsewhere:
            elsewhere.routes["/secret.html"] = page(essay_page("bell"))
            faults = {
                "huge": (page(b"<p>" + b"words " * 3_400_000), "2000000"),
                "endless": (endless(), "2000000|RAG_PAGE_DEADLINE_S"),
                "slow": (drip(_HTML), "RAG_PAGE_DEADLINE_S"),
                "private": (moved("http://169.254.169.254/latest/"), r"169\.254\.169\.254.*RAG_SOURCE_HOSTS"),
                "otherport": (moved(elsewhere.url("/secret.html")), rf"{elsewhere.port}.*RAG_SOURCE_HOSTS"),
                "garbage": (page(random.Random(11).randbytes(60_000)), "'garbage'"),
                "silent": (
                    page(b"<html><head><title>Silent</title></head><body><table></table></body></html>"),
                    "none",
                ),
                "gone": (status(404), "404"),
            }
            small_site.routes |= {f"/{slug}.html": reply for slug, (reply, _) in faults.items()}
            # Markup in ruins is an essay all the same.
            ruined = essay_page("bread").replace(b"</font></td></tr></table></body></html>", b"<b><i></table><td></p")
            small_site.routes["/bread.html"] = page(ruined)
            small_site.routes["/articles.html"] = page(index_page([*faults, *SLUGS]))
            built = commands.succeeds("build", "--source", index_url(small_site), "--max-failed-share", "0.7")
            assert elsewhere.paths() == []
        assert built["published"]
        assert built["essays"] == len(SLUGS)
        reasons = {failure["slug"]: failure["reason"] for failure in built["failed"]}
        assert set(reasons) == set(faults)
        for slug, (_, reason) in faults.items():
            assert re.search(reason, reasons[slug]), reasons[slug]
            assert f"/{slug}.html" in reasons[slug]
        assert answers(settings) == built["version"]

    def test_that_breaks_later_keeps_what_it_said_before(
        self, commands: Commands, published: Built, small_site: FaultySite, settings: Settings
    ) -> None:
        small_site.routes["/bell.html"] = status(500)
        built = commands.succeeds("build", "--source", index_url(small_site))
        assert [failure["slug"] for failure in built["failed"]] == ["bell"]
        assert (built["version"], built["essays"], built["embedded"]) == (published.version, len(SLUGS), 0)
        assert answers(settings) == published.version

    def test_that_fails_with_too_many_others_stops_the_publishing(
        self, commands: Commands, published: Built, small_site: FaultySite, settings: Settings
    ) -> None:
        new = ("new", "newer", "newest")
        small_site.routes["/bread.html"] = page(essay_page("bread").replace(b"eleven years", b"twelve years"))
        small_site.routes["/articles.html"] = page(index_page([*new, *SLUGS]))
        error = commands.fails("build", "--source", index_url(small_site))
        assert all(name in error for name in ("3", "8", "38%", "RAG_MAX_FAILED_SHARE"))
        assert answers(settings) == published.version
