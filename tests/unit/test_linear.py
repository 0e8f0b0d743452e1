"""No text costs more time than its size: eight times the text takes about eight times as long."""

from __future__ import annotations

import pytest

from bench.linear import READERS, Reader, seconds

TIMES = 8
# Linear is 8, quadratic 64. Below this, a run of a few milliseconds on a busy machine is nothing but noise.
MOST = 20
NOISE_S = 0.004
SHAPES = [
    pytest.param(reader, text, id=f"{name}, {text}") for name, reader in READERS.items() for text in reader.shapes
]


def growth(reader: Reader, text: str) -> float:
    """How much longer a text of eight times the size takes."""
    shape = reader.shapes[text]
    small = min(seconds(reader.read, shape(reader.steady)) for _ in range(2))
    large = seconds(reader.read, shape(TIMES * reader.steady))
    return large / max(small, NOISE_S / TIMES)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("reader", "text"), SHAPES)
def test_time_grows_as_the_text_does(reader: Reader, text: str) -> None:
    # Another process may have slowed down one run, but not each.
    assert any(growth(reader, text) < MOST for _ in range(4))


def test_a_reader_whose_time_grows_faster_is_noticed() -> None:
    def compares_all_with_all(text: str) -> int:
        return sum(one == other for one in text[::10] for other in text[::10])

    quadratic = Reader(compares_all_with_all, {"letters": lambda size: "a" * size})
    assert growth(quadratic, "letters") > MOST
