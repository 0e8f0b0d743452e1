"""The real index page and 25 real essays, indexed and asked by the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bs4 import BeautifulSoup

from bench.chaos_chat.ground import Worker
from contextual_rag.settings import Settings
from tests.conftest import REAL_DATA, Rag, ServedSite
from tests.conversation.conftest import Office

QUESTIONS = {
    "What should an essay be?": "useful",
    "Why is Lisp a secret weapon for a startup?": "avg",
    "Why is the charismatic candidate said to win elections?": "charisma",
    "Should companies promise not to use patents against small firms?": "patentpledge",
    "What do public relations firms do to get stories into the press?": "submarine",
}

# The earlier workflow was shown with these. Most of the essays that tell it are not among the 25.
FIRST_QUESTIONS = (
    "What to do in the face of uncertainty?",
    "Why won't people write?",
    "What did Paul Graham do growing up?",
    "What did the author do during their time in art school?",
    "What did the author do during their time at Yale?",
    "What did the author do during their time at YC?",
    "Can you give me a summary of the author's life?",
)


def words(text: str) -> str:
    """Text with nothing in it but its words, for comparison."""
    return "".join(c for c in text.lower() if c.isalnum())


def served_words(slug: str) -> str:
    """The words of a page as served, read independently of our parser."""
    html = (REAL_DATA / "paulgraham_site" / f"{slug}.html").read_bytes().decode("cp1252")
    return words(BeautifulSoup(html, "html.parser").get_text())


class TestTheRealPages:
    @pytest.mark.timeout(600)  # 25 long essays are embedded, beside what the other workers do
    def test_are_indexed_named_and_asked(self, rag: Rag, real_site: ServedSite, settings: Settings) -> None:
        refused = rag.run("build", "--source", real_site.url, "--json")
        assert refused.returncode == 3
        why = json.loads(refused.stdout)["refused"]
        assert [figure for figure in ("182", "207", "88%") if figure not in why] == []

        built = rag.json("build", "--source", real_site.url, "--max-failed-share", "1")
        assert built["published"]
        assert built["essays"] == 25
        assert built["embedded"] == 0, "what the refused build made was not made again"
        assert len(built["failed"]) == 182
        assert all("404" in failure["reason"] for failure in built["failed"])
        assert len(built["elsewhere"]) == 2
        for question, slug in QUESTIONS.items():
            self.check(rag.json("ask", question), slug)
        self.check_a_conversation(settings)

    def check(self, answered: dict[str, Any], slug: str) -> None:
        assert not answered["abstained"]
        assert answered["citations"]
        assert slug in {citation["slug"] for citation in answered["citations"]}, answered
        for citation in answered["citations"]:
            assert citation["verified"]
            assert words(citation["quote"]) in served_words(citation["slug"])

    def check_a_conversation(self, settings: Settings) -> None:
        with Worker(settings):
            office = Office(settings)
            turns = [office.post(question) for question in FIRST_QUESTIONS]
            for turn in turns:
                answer = office.answer(turn)
                assert answer.status in {"answered", "abstained"}, answer
                assert bool(answer.citations) == (answer.status == "answered")
                for citation in answer.citations:
                    assert citation.verified
                    source = next(source for source in answer.sources if source.n == citation.n)
                    assert words(citation.quote) in served_words(source.chunk.slug)
            office.conversations.close()


@pytest.mark.parametrize("command", ["ask", "search"])
def test_the_bucket_is_empty_before(rag: Rag, command: str) -> None:
    done = rag.run(command, "anything")
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1].startswith("UnknownVersion: ")
