"""One cell of a file, or one value of a feed, as text in and a typed value of ours out.

Dates are 2026-01-31 and moments ISO 8601 with a zone (or UTC), numbers plain decimals with a point; money is written in
whole units of its currency and becomes minor units by ISO 4217, exactly. Nothing is guessed: a value of another shape
is `Unfit`, with what is wrong and what to write. An empty cell is None.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from engine.documents import Place
from engine.money import minor_units
from engine.refusal import Refused

LONGEST_TEXT = 500
LARGEST = 2**63 - 1
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)
_SHARE = re.compile(r"(0|1)(\.[0-9]{1,6})?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

Reader = Callable[[str, Mapping[str, str]], Any]  # the text, and the other texts of its row


class Unfit(Exception):
    """This text is no value of its column."""

    def __init__(self, what: str, fix: str, unknown_word: bool = False) -> None:
        super().__init__(what)
        self.what, self.fix, self.unknown_word = what, fix, unknown_word


def text(given: str, _row: Mapping[str, str]) -> str:
    """Kept as it is, also where a spreadsheet would take it for a formula."""
    if len(given) > LONGEST_TEXT:
        raise Unfit(f"It is longer than {LONGEST_TEXT} characters.", "Shorten it.")
    return given


def email(given: str, row: Mapping[str, str]) -> str:
    """In lower case, to be compared."""
    if "@" not in given[1:-1]:
        raise Unfit("It is no e-mail address.", "Write it as ann@example.com.")
    return text(given, row).lower()


def integer(given: str, _row: Mapping[str, str]) -> int:
    if not _INTEGER.fullmatch(given):
        raise Unfit("It is no whole number.", "Write it as 120, without separators.")
    return int(given)


def decimal(given: str, _row: Mapping[str, str]) -> Decimal:
    if not _DECIMAL.fullmatch(given):
        raise Unfit("It is no plain decimal number.", "Write it as 0.8, with a point and at most 6 decimals.")
    return Decimal(given)


def share(given: str, _row: Mapping[str, str]) -> Decimal:
    """Between 0 and 1."""
    if not _SHARE.fullmatch(given) or Decimal(given) > 1:
        raise Unfit("It is no share between 0 and 1.", "Write 80 % as 0.8, with at most 6 decimals.")
    return Decimal(given)


def day(given: str, _row: Mapping[str, str]) -> date:
    try:
        if not _DAY.fullmatch(given):
            raise ValueError(given)
        return date.fromisoformat(given)
    except ValueError:
        raise Unfit("It is no date.", "Write it as 2026-01-31.") from None


def moment(given: str, _row: Mapping[str, str]) -> datetime:
    """UTC where no zone is written."""
    try:
        at = datetime.fromisoformat(given)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Unfit("It is no moment.", "Write it as 2026-01-31T08:00:00Z.") from None


def money(currency: str) -> Reader:
    """Minor units of the currency that another cell of the row names."""

    def read(given: str, row: Mapping[str, str]) -> int:
        try:
            minor = minor_units(given, row.get(currency, "").strip())
        except Refused as refused:
            raise Unfit(refused.what, refused.fix) from None
        if abs(minor) > LARGEST:
            raise Unfit("The amount is too large.", "Check the amount and its currency.")
        return minor

    return read


def choice(words: Mapping[str, str]) -> Reader:
    known = {word.casefold(): meaning for word, meaning in words.items()}

    def read(given: str, _row: Mapping[str, str]) -> str:
        try:
            return known[given.casefold()]
        except KeyError:
            fix = f"Write one of: {', '.join(words)}; or add the word to the data contract."
            raise Unfit("The contract does not know this word.", fix, unknown_word=True) from None

    return read


def currency(given: str, _row: Mapping[str, str]) -> str:
    try:
        minor_units("0", given)
    except Refused as refused:
        raise Unfit(refused.what, refused.fix) from None
    return given


PLAIN: Mapping[str, Reader] = {
    "text": text, "integer": integer, "decimal": decimal, "share": share, "date": day, "moment": moment,
    "currency": currency, "email": email,
}  # fmt: skip
BUILT: Mapping[str, tuple[str, Callable[[Place], Reader]]] = {
    "money": ("currency", lambda place: money(place.text(64))),
    "choice": ("values", lambda place: choice({word: at.text(64) for word, at in place.entries()})),
}
