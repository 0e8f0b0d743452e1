"""No trick gets words verified that the essays do not say, and no true quotation is refused."""

from __future__ import annotations

import pytest

from contextual_rag.qa.citations import read
from tests.small_world import passage
from tests.unit.qa.further_tricks import FURTHER_TRICKS
from tests.unit.qa.later_tricks import LATER_TRICKS
from tests.unit.qa.tricks import TRICKS, Trick


@pytest.mark.parametrize("trick", [*TRICKS, *FURTHER_TRICKS, *LATER_TRICKS], ids=lambda trick: trick.name)
def test_each_quotation_is_looked_up_and_only_true_ones_are_found(trick: Trick) -> None:
    texts = [trick.passages] if isinstance(trick.passages, str) else trick.passages
    passages = [passage(text, "the-essay" if n == 1 else f"essay{n}", start=100 * n) for n, text in enumerate(texts, 1)]
    passages[0] = passages[0].model_copy(update={"title": "The Essay"})
    reading = read(trick.answer, passages)
    quoted = [citation for citation in reading.citations if citation.quote]
    assert [(citation.n, citation.verified) for citation in quoted] == trick.quoted
    assert [citation.n for citation in reading.citations if not citation.quote] == trick.bare
    assert reading.text == (trick.answer if trick.text is None else trick.text)
