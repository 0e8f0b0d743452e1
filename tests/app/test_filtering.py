"""The control by which a reader chooses documents, as drawn by Streamlit, without a browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def _control(slugs: tuple[str, ...], endings: tuple[str, ...], authors: tuple[tuple[str, ...], ...]) -> None:
    from types import SimpleNamespace

    import streamlit as st

    from streamlit_app.filtering import filter_control

    essays = [
        SimpleNamespace(slug=slug, title=slug.title(), url=f"https://essays.example/{slug}{ending}")
        for slug, ending in zip(slugs, endings, strict=True)
    ]
    by = dict(zip(slugs, authors, strict=False))
    manifest = SimpleNamespace(essays=essays, source_names=dict.fromkeys(slugs, "essays"), authors=by)
    where = filter_control(manifest)  # type: ignore[arg-type]
    st.text(where.summary if where else "all")


def drawn(*slugs: str, endings: tuple[str, ...] = (), authors: tuple[tuple[str, ...], ...] = ()) -> AppTest:
    """The control of a version of these essays."""
    app = AppTest.from_function(_control, args=(slugs, endings or (".html",) * len(slugs), authors)).run()
    assert not app.exception
    return app


def test_a_version_of_one_essay_has_no_control() -> None:
    app = drawn("jug")
    assert (len(app.multiselect), len(app.date_input), app.text[0].value) == (0, 0, "all")


def test_only_what_differs_can_be_chosen() -> None:
    assert [choice.label for choice in drawn("jug", "log").multiselect] == ["Essays"]
    assert [choice.label for choice in drawn("jug", "log", endings=("", ".pdf")).multiselect] == ["Essays", "Types"]
    by_two = drawn("jug", "log", authors=(("Ann Lee",), ("Ann Lee", "Bo Ray"))).multiselect
    assert [(choice.label, choice.options) for choice in by_two][1:] == [("Authors", ["Ann Lee", "Bo Ray"])]
    assert [choice.label for choice in drawn("jug", "log", authors=(("Ann Lee",),)).multiselect] == ["Essays"]


def test_what_is_chosen_is_the_filter_until_it_is_taken_back() -> None:
    app = drawn("jug", "log", endings=("", ".pdf"))
    assert app.text[0].value == "all"
    app.multiselect[0].select("log")
    app.multiselect[1].select("pdf")
    app.run()
    assert app.text[0].value == "document log, type pdf"
    app.multiselect[0].unselect("log")
    app.multiselect[1].unselect("pdf")
    assert app.run().text[0].value == "all"
