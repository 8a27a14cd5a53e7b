"""An agreement to share data with a supplier: who sends what to whom, why, on what ground, from when until when.

Source: a YAML document that people put in force. Decides which fields it covers on a day, and when its end is near. The
last day belongs to it. Refuses, with the place, what is not such an agreement.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from engine.documents import Place, read_document

NEAR_DAYS = 60


@dataclass(frozen=True, slots=True)
class Agreement:
    """`vendor` is the company as the tools call it; `fields` are names of the data contract."""

    key: str
    owner: str
    vendor: str
    parties: tuple[str, ...]
    purpose: str
    legal_basis: str
    fields: frozenset[str]
    first_day: date
    last_day: date
    retention_months: int
    sub_processors: tuple[str, ...] = ()
    transfer: str = ""


def read_agreement(text: str) -> Agreement:
    place = read_document(text)
    needed = (
        "agreement", "owner", "vendor", "parties", "purpose", "legal_basis", "fields", "from", "until",
        "retention_months",
    )  # fmt: skip
    place.keys(needed, ("sub_processors", "transfer"))
    first, last = place.at("from").day(), place.at("until").day()
    if last < first:
        raise place.at("until").refused("the agreement ends before it begins", "Correct one of the days.")
    return Agreement(
        place.at("agreement").key(),
        place.at("owner").text(200),
        place.at("vendor").text(200),
        _texts(place.at("parties"), 2),
        place.at("purpose").text(),
        place.at("legal_basis").text(),
        frozenset(_texts(place.at("fields"), 1)),
        first,
        last,
        place.at("retention_months").integer(1),
        _texts(place.at("sub_processors"), 0) if place.has("sub_processors") else (),
        place.at("transfer").text() if place.has("transfer") else "",
    )


def _texts(place: Place, at_least: int) -> tuple[str, ...]:
    return tuple(each.text(200) for each in place.items(at_least))


def holds(agreement: Agreement, day: date) -> bool:
    return agreement.first_day <= day <= agreement.last_day


def days_left(agreement: Agreement, day: date) -> int:
    """Days on which it still holds, this one among them; none when it is over."""
    return max(0, (agreement.last_day - max(day, agreement.first_day)) // timedelta(days=1) + 1)


def warning(agreement: Agreement, day: date) -> str:
    """What to tell people while the end is near, or past; empty otherwise."""
    left = days_left(agreement, day)
    if left > NEAR_DAYS:
        return ""
    what = f"ends in {left} days" if left else "has ended"
    return f"The agreement {agreement.key} with {agreement.vendor} {what} ({agreement.last_day}). Renew it in time."
