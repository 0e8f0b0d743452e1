"""Several sources in one file, `sources.toml`: a table for each, whose name is the source's.

What the file gets wrong is named with its line. A class of one's own is named there and nowhere else: whoever may start
a run may not choose what code it runs.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, TypeAdapter, ValidationError, ValidationInfo, field_validator, model_validator

from contextual_rag.errors import SettingError, SourceError
from contextual_rag.keys import SOURCE_NAME
from contextual_rag.record import StrictRecord
from contextual_rag.sources.folder import source_address

__all__ = ["Configured", "Crawling", "address_of", "file_of", "read_sources"]

_LARGEST = 200_000
_CLASS: Final = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
_BUCKET: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S*)?")


class Crawling(StrictRecord):
    """How far the links of a page are followed: `depth` from it, `count` pages, all below the address `prefix`."""

    prefix: str | None = None
    depth: Annotated[int, Field(ge=0, le=20)] = 3
    count: Annotated[int, Field(ge=1, le=20_000)] = 500


class Configured(StrictRecord):
    """One of several sources: an address, with `crawl` a site whose links are followed, or a class of one's own."""

    url: str | None = None
    crawl: Crawling | None = None
    own: Annotated[str | None, Field(alias="class", pattern=_CLASS)] = None
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _absolute(cls, url: str, info: ValidationInfo) -> str:
        # A path starts from where the file is, so that it means the same wherever a process runs.
        if url in {".", ".."} or url.startswith(("./", "../")):
            url = str((info.context or {})["folder"] / url)
        try:
            url = source_address(url)
            parts = urlsplit(url)
        except (SourceError, ValueError) as error:
            raise ValueError(str(error)) from None
        is_site = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
        if not (is_site or parts.scheme == "file" or _BUCKET.fullmatch(url)) or not url.isprintable():
            shown = re.sub(r"//[^/]*@", "//", url)[:200]  # without a password
            raise ValueError(f"{shown!r} is not an address; write https://…, s3://bucket/prefix or ./folder")
        return url

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if bool(self.url) == bool(self.own):
            raise ValueError('needs either url = "…" or class = "module:Class"')
        if self.options and not self.own:
            raise ValueError("options are for a class; remove them, or name the class")
        if self.crawl and not (self.url or "").startswith("http"):
            raise ValueError("only a site can be crawled; remove crawl")
        if self.crawl and self.crawl.prefix and not self.crawl.prefix.startswith("http"):
            raise ValueError("crawl.prefix is the beginning of an address; write https://…")
        return self

    @property
    def address(self) -> str:
        """What it is recorded by."""
        return self.url or f"class:{self.own}"


_Tables = TypeAdapter(dict[Annotated[str, Field(pattern=SOURCE_NAME)], Configured])


def file_of(source: str) -> Path | None:
    """Return the file of sources that a source names: a path or file: address that ends in .toml."""
    if not source.lower().endswith(".toml") or source.startswith(("http://", "https://", "s3://")):
        return None
    return Path(unquote(urlsplit(source).path) if source.lower().startswith("file:") else source).expanduser().resolve()


def address_of(source: str) -> str:
    """Return the address of a source: of a file or folder, the same one however it is named."""
    file = file_of(source)
    return file.as_uri() if file else source_address(source)


def read_sources(file: Path) -> Mapping[str, Configured]:
    """Return the sources that a file names, by name, in its order. Raises SettingError that names each wrong line."""
    try:
        body = file.read_bytes()
        text = body.decode("utf-8-sig").replace("\r\n", "\n")
        tables = tomllib.loads(text)
    except OSError as error:
        raise _wrong(file, f"cannot be read ({error.strerror}); create it, or correct RAG_SOURCE_URL") from None
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise _wrong(file, f"line {line}: not UTF-8; save it as such") from None
    except tomllib.TOMLDecodeError as error:
        said = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error))
        line = int(said[2]) if said and said[2] else text.rstrip("\n").count("\n") + 1
        raise _wrong(file, f"line {line}: not TOML ({said[1] if said else error}); correct it") from None
    if len(body) > _LARGEST:
        raise _wrong(file, f"larger than {_LARGEST:,} bytes; divide it")
    try:
        found = _Tables.validate_python(tables, context={"folder": file.parent})
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            place = tuple(str(part) for part in fault["loc"] if part != "[key]")
            faults.append((_line_of(text, place), f"[{place[0]}] {_explained(fault, place[1:])}"))
        raise _wrong(file, *(f"line {line}: {said}" for line, said in sorted(faults))) from None
    if not found:
        raise _wrong(file, 'names no source; write a table such as [blog], and below it url = "https://…"')
    return found


def _explained(fault: Any, place: Sequence[str]) -> str:
    """Say which key is wrong, and what to do."""
    shown = ".".join(place)
    if fault["type"] == "extra_forbidden":
        known = list(Crawling.model_fields) if place[0] == "crawl" else ["url", "crawl", "class", "options"]
        near = get_close_matches(place[-1], known, n=1)
        advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        return f"{shown} is not a known key; {advice}"
    if not place and fault["type"] == "model_type":
        return 'is not a table; write [name], and below it url = "…"'
    if fault["type"] == "string_pattern_mismatch":
        right = "is not module:Class" if place else "is not a name; it has letters, digits, dots, - and _, at most 100"
        return f"{shown or repr(str(fault['input'])[:80])} {right}"
    said = fault["msg"].removeprefix("Value error, ")
    return f"{shown}: {said}" if shown else said


def _line_of(text: str, place: Sequence[str]) -> int:
    """Return the line at which a key begins, or else the table that it is lacking in.

    The beginning of a file that is TOML by itself, and has the key, ends with it, however it is written.
    """
    lines = text.split("\n")
    for path in (place[:n] for n in range(len(place), 0, -1)):
        begun = 1
        for n in range(1, len(lines) + 1):
            try:
                found: Any = tomllib.loads("\n".join(lines[:n]))
            except tomllib.TOMLDecodeError:
                continue
            for key in path:
                found = found.get(key) if isinstance(found, dict) else None
            if found is not None:
                return begun
            begun = n + 1
    return 1


def _wrong(file: Path, *faults: str) -> SettingError:
    return SettingError(f"{file}: {'; '.join(faults)}.", code="setting_sources")
