"""The control by which a reader chooses which documents are asked or searched."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

import streamlit as st

from contextual_rag.noun import noun
from contextual_rag.qa.filters import MOST, Filter, type_of
from contextual_rag.versions.records import Manifest
from streamlit_app.render import label

__all__ = ["filter_control"]

# A browser draws a list of more names slowly, and nobody reads it.
_MOST_LISTED: Final = 1000
_FIRST, _LAST = date(1000, 1, 1), date(2999, 12, 31)


def filter_control(manifest: Manifest) -> Filter | None:
    """Draw the control; return the filter that is set, None without one. One document alone needs no control."""
    if len(manifest.essays) < 2:  # noqa: PLR2004
        return None
    titles = {essay.slug: essay.title for essay in manifest.essays}
    sources = sorted(set(manifest.source_names.values()))
    types = sorted({type_of(essay.url) for essay in manifest.essays})
    with st.popover("Filter", icon=":material/filter_list:", type="tertiary"):
        st.caption(f"Ask only the {label(noun().many)} that match all of these.")
        _choice(label(noun().heading), "documents", titles if len(titles) <= _MOST_LISTED else {})
        _choice("Sources", "sources", {name: name for name in sources if len(sources) > 1})
        _choice("Types", "types", {name: name for name in types if len(types) > 1})
        for word, name in (("From", "since"), ("To", "until")):
            st.date_input(word, None, _FIRST, _LAST, key=_key(name), format="YYYY-MM-DD", persist_state="session")
    where = Filter(**{name: value for name in Filter.model_fields if (value := st.session_state.get(_key(name)))})
    if where:
        st.caption(f"Only {label(noun().many)} that match: {label(where.summary)}")
    return where or None


def _choice(word: str, name: str, titles: Mapping[str, str]) -> None:
    """Draw a list of names to choose from, if there are any; what a newer version has no more is given up."""
    kept = st.session_state.get(_key(name), [])
    if gone := [one for one in kept if one not in titles]:
        st.session_state[_key(name)] = [one for one in kept if one not in gone]
    if titles:
        st.multiselect(
            word,
            list(titles),
            format_func=lambda one: titles.get(one, one),
            key=_key(name),
            max_selections=MOST,
            placeholder="all",
            persist_state="session",
        )


def _key(name: str) -> str:
    return f"filter-{name}"
