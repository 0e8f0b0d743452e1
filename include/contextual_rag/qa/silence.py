"""What an answer says that abstains: that the essays do not say, and which of them treat of something that was asked.

A word of the question is something to treat of if it stands where a thing is named. An essay treats of it if its title
has the word, or what was found of it has the word several times.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from contextual_rag.languages import ENGLISH, asked_in
from contextual_rag.ports import Index
from contextual_rag.qa.asked import plain
from contextual_rag.qa.evidence import known_words
from contextual_rag.qa.filters import Filter, nothing
from contextual_rag.qa.prompt import nothing_found
from contextual_rag.qa.retrieve import Hit

__all__ = ["silence"]

_NAMED: Final = 3
# So often a word stands in the passages of an essay that treats of it.
_OFTEN: Final = 3
_WORD: Final = re.compile(r"\w[\w’'-]*\w|[,;.?!]")
# In English, what comes first or after one of these may be a thing; a verb hardly is.
_BEFORE: Final = frozenset(
    str.split(
        "a an the this that these those his her its their your my our no any some every many much which whose of "
        "in on at by for from with about into over under between among without against and or as like than"
    )
)
_VAGUE: Final = frozenset(
    str.split(
        "author bad best better big compare day describe different discuss end example explain fact first general "
        "give good great group idea important kind last life list long lot main many most much name new number "
        "old other own part people person place point problem question reason second small sort thing things time "
        "times top type way ways whole word words work world worst year years"
    )
)


def silence(index: Index, question: str, hits: Sequence[Hit], where: Filter | None = None) -> str:
    """Return the text of an answer that abstains. The hits are what was found, best first."""
    return " ".join(filter(None, (nothing(index, where) or nothing_found(), _treated(index, question, hits))))


def _treated(index: Index, question: str, hits: Sequence[Hit]) -> str | None:
    """Name the essays that treat of a word of the question: of one in a title, or else of the rarest; None without."""
    language = asked_in(question, index.languages)
    chunks = [hit.chunk for hit in hits]
    titled = {chunk.slug: index.words(chunk.title, chunk.language) for chunk in chunks}
    said = [(chunk.slug, index.words(chunk.text, chunk.language)) for chunk in chunks]
    treated = []
    for word in _things(plain(question), language):
        for stem in known_words(index, word, language)[:1]:
            times: Counter[str] = Counter()
            for slug, words in said:
                times[slug] += words.count(stem)
            in_title = [slug for slug in times if stem in titled[slug]]
            often = [slug for slug in times if times[slug] >= _OFTEN and slug not in in_title]
            if of_it := [*in_title, *often]:
                treated.append((bool(in_title), index.rarity(stem), word, of_it))
    if not treated:
        return None
    *_, word, slugs = max(treated)
    return f"About “{word}” there is: {'; '.join(index.essays[slug] for slug in slugs[:_NAMED])}."


def _things(question: str, language: str) -> Iterator[str]:
    """Yield the words of a question that may name a thing; in other languages than English, any word.

    A part of a name of several words, such as "Night Watch", names something else.
    """
    # A question begins with a capital, which says nothing.
    words = ["", *_WORD.findall(question[:1].lower() + question[1:]), ""]
    for before, word, after in zip(words, words[1:], words[2:], strict=False):
        is_thing = before.casefold() in _BEFORE | {""} or after == "of"
        is_part = word[:1].isupper() and (after[:1].isupper() or before[:1].isupper())
        if language != ENGLISH or (is_thing and not is_part and word.casefold() not in _VAGUE):
            yield word
