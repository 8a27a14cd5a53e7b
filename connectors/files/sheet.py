"""A CSV file read row by row: the text of each field by our own name, with the line it stands in.

Decides what text a file holds: encoding and delimiter are the contract's, a byte order mark, CRLF and line breaks
within quotes are taken as they are, headers are compared without case. What a contract does not name is not read.
Refuses files over 50 MiB, of another encoding by their mark, without a usable header, or whose quotes do not close. A
row that is wrong by itself (bytes that are no text, NUL, too many cells) is told with its line and loses only itself.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from connectors.files.contract import ENCODINGS, Contract
from engine.refusal import Code, Refused

LARGEST_BYTES = 50 * 1024 * 1024
CHUNK_BYTES = 1 << 20
_NO_TEXT = re.compile("[\ud800-\udfff]")
_MARKS: Mapping[bytes, str] = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK\x03\x04": "a spreadsheet, not text"}


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a row. `column` is the header, empty for the whole row."""

    column: str
    value: str
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Row:
    """`line` is where it begins, 1 being the header. With `wrong` there is nothing to read."""

    line: int
    texts: Mapping[str, str] = field(default_factory=dict)
    wrong: Wrong | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that was looked at: what it is, and where its columns stand. `ignored` are headers nobody asked for."""

    path: Path
    sha256: str
    ignored: tuple[str, ...]
    places: Mapping[str, int]
    headers: tuple[str, ...]


def digest(path: Path) -> str:
    """sha256 of the bytes, in hex."""
    hashed, size = sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            size += len(chunk)
            if size > LARGEST_BYTES:
                what = f"{path.name} is larger than {LARGEST_BYTES >> 20} MiB."
                raise Refused(Code.INPUT_TOO_LARGE, what, "Split it into several files with the same header.")
            hashed.update(chunk)
    return hashed.hexdigest()


def look_at(path: Path, contract: Contract) -> Sheet:
    """Read the header."""
    hashed = digest(path)
    with path.open("rb") as file:
        first = file.read(4)
    for mark, what in _MARKS.items():
        if first.startswith(mark):
            raise _refused(f"{path.name} is {what}.", f"Save it as CSV in {contract.encoding}.")
    header = next((cells for _, cells in _cells(path, contract)), None)
    if header is None:
        raise _refused(f"{path.name} is empty.", "Give a file with a header and rows.")
    headers = tuple(cell.strip() for cell in header)
    at = {name.casefold(): place for place, name in enumerate(headers)}
    if len(at) < len(headers):
        twice = sorted({name for name in headers if [each.casefold() for each in headers].count(name.casefold()) > 1})
        raise _refused(f"Line 1: these headers stand there twice: {', '.join(twice)}.", "Rename or remove one of each.")
    fields = [*contract.fields, *([contract.as_of] if contract.as_of else [])]
    missing = [each.header for each in contract.fields if each.required and each.header.casefold() not in at]
    if missing:
        hint = f" Columns are separated by {contract.delimiter!r}." if len(headers) == 1 else ""
        shown = ", ".join(headers)[:200]
        raise _refused(
            f"Line 1: these columns are missing: {', '.join(missing)}. There are: {shown!r}.",
            f"Add them, or name the columns as they are in the data contract.{hint}",
        )
    places = {each.name: at[each.header.casefold()] for each in fields if each.header.casefold() in at}
    named = {each.header.casefold() for each in fields}
    return Sheet(path, hashed, tuple(h for h in headers if h.casefold() not in named), places, headers)


def rows(sheet: Sheet, contract: Contract) -> Iterator[Row]:
    """Every row below the header; empty lines are none."""
    lines = _cells(sheet.path, contract)
    next(lines)
    for line, cells in lines:
        wrong = _wrong(sheet, contract, cells)
        if wrong is not None:
            yield Row(line, wrong=wrong)
            continue
        texts = {name: cells[place] for name, place in sheet.places.items() if cells[place].strip()}
        yield Row(line, texts)


def _wrong(sheet: Sheet, contract: Contract, cells: list[str]) -> Wrong | None:
    if len(cells) != len(sheet.headers):
        what = f"The row has {len(cells)} cells, the header {len(sheet.headers)}."
        return Wrong("", "", what, "Put text that holds a delimiter into double quotes.")
    for header, cell in zip(sheet.headers, cells, strict=True):
        if "\0" in cell:
            return Wrong(header, cell, "The cell holds a NUL character.", "Export the file again as plain text.")
        if _NO_TEXT.search(cell):
            what = f"The cell holds bytes that are no {contract.encoding}."
            return Wrong(header, cell, what, f"Save the file as {contract.encoding}, or name its encoding.")
    return None


def _cells(path: Path, contract: Contract) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of what is not empty. Bytes that are no text come as lone surrogates."""
    with path.open(encoding=ENCODINGS[contract.encoding], errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=contract.delimiter, strict=True)
        before = 0
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                what = f"From line {before + 1} on it is no CSV: {error}."
                raise _refused(what, "Close every double quote, and write those within a text twice.") from None
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield before + 1, cells
            before = reader.line_num


def _refused(what: str, fix: str) -> Refused:
    return Refused(Code.BAD_INPUT, what, fix, ("file",))
