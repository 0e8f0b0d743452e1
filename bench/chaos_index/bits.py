"""Part 5: flips one bit in every file of a version in turn, and checks that a damaged version never answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import NamedTuple

from bench.days import FIRST, build_day, edition, keep_day
from contextual_rag import keys
from contextual_rag.errors import CorruptObjectError
from contextual_rag.settings import Settings
from contextual_rag.versions import manage
from contextual_rag.versions.reader import Reader
from contextual_rag.wiring import World

__all__ = ["Flipped", "flip_bits"]


class Flipped(NamedTuple):
    """The number of files with a flipped bit, and the faults."""

    files: int
    failures: list[str]


def flip_bits(settings: Settings, *, times: int, seed: int, progress: Callable[[], object] = lambda: None) -> Flipped:
    """Flip a random bit in every file of a version, including its manifest, `times` each; repair it after each."""
    chance, world = random.Random(seed), World(settings)
    old, new = (_publish(world, number) for number in range(2))
    manifest = world.registry.manifest(new)
    spoilt = [*(keys.index_file(new, name) for name in manifest.files), keys.manifest(new)] * times
    failures = []
    for number, key in enumerate(spoilt):
        stored = world.store.get(key)
        if stored is None:
            raise AssertionError(f"{key} was just published but does not exist")
        # Simulate another machine, without the new version on its disk.
        reading = World(settings.model_copy(update={"data_dir": settings.data_dir / f"reader-{number}"}))
        world.registry.promote(old, by="campaign", why="before a bit is flipped")
        with closing(Reader(reading.registry, reading.indexes, every_s=0)) as reader:
            reader.index()
            world.store.put(key, _flipped(stored.body, chance))
            failures += _refusals(world, new, key)
            # Simulate a forced change of CURRENT.
            world.store.put(keys.CURRENT, _naming(world, new))
            served = reader.refresh().version
            if served != old:
                failures.append(f"{key} was flipped, and the reader took {served}")
            elif key not in (reader.problem or ""):
                failures.append(f"{key} was flipped, and the reader says: {reader.problem}")
            world.store.put(key, stored.body)
            if (served := reader.refresh().version) != new:
                failures.append(f"{key} was mended, and the reader goes on with {served}: {reader.problem}")
        progress()
    return Flipped(len(spoilt), failures)


def _refusals(world: World, version: str, key: str) -> list[str]:
    try:
        manage.promote(world, version, by="campaign", why="to see it refused")
    except CorruptObjectError as error:
        return [] if key in str(error) else [f"{key} was flipped, and promoting was refused so: {error}"]
    return [f"{key} was flipped, and the version was promoted"]


def _naming(world: World, version: str) -> bytes:
    pointer = world.registry.current()
    if pointer is None:
        raise AssertionError("nothing is published")
    return pointer.model_copy(update={"version": version}).model_dump_json().encode()


def _flipped(body: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(8 * len(body))
    changed = bytearray(body)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def _publish(world: World, number: int) -> str:
    day = FIRST + timedelta(days=number)
    keep_day(world, day, edition(day.isoformat()))
    return build_day(world, day, promote=True).version
