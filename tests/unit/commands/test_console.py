"""Progress without a terminal: lines that tell how far the work is, and never a flood."""

from __future__ import annotations

import pytest

from contextual_rag.commands.console import progress


class TestProgressWithoutATerminal:
    def test_tells_when_a_stage_begins_and_ends(self, capfd: pytest.CaptureFixture[str]) -> None:
        with progress() as report:
            for done in range(18):
                report("fetch", done, 17)
            report("chunk", 3, 3)
            report("embed", 0, 0)
        out, err = capfd.readouterr()
        assert err.splitlines() == ["fetch: 0 of 17", "fetch: 17 of 17", "chunk: 3 of 3", "embed: 0 of 0"]
        assert out == ""

    def test_is_silent_where_nothing_happens(self, capfd: pytest.CaptureFixture[str]) -> None:
        with progress():
            pass
        assert capfd.readouterr() == ("", "")
