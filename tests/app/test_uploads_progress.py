"""What the page Uploads says of a build that runs."""

from __future__ import annotations

from contextual_rag.building import BEFORE, PER_ESSAY, TOGETHER
from contextual_rag.conversation.model import Indexing
from streamlit_app.app_pages.uploads import progress_of


def test_each_step_has_words_and_is_further_than_the_one_before() -> None:
    parts, words = zip(
        *(
            progress_of(Indexing(state="running", step=step, done=done, of=2))
            for step in (*BEFORE, *PER_ESSAY, *TOGETHER)
            for done in (0, 1)
        ),
        strict=True,
    )
    assert sorted(set(parts)) == list(parts)
    assert (parts[0], parts[-1] < 1, "Starting" in "".join(words)) == (0, True, False)


def test_a_build_that_has_not_begun_is_at_the_start() -> None:
    assert progress_of(Indexing(state="running")) == (0, "Starting")
