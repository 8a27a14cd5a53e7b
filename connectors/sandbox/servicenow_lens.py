"""What a limited account sees of the instance: rows, columns and moments that are kept from one request.

Decides nothing by itself: faults hang a lens on a request, the Table API looks through it. Rows hidden by an access
rule go after the limit, so that pages are short; rows that are not committed yet are not there for the query either.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import Scope

from connectors.sandbox.company_book import Row

PLACE = "sandbox.lens"


@dataclass(slots=True)
class Lens:
    see: list[Callable[[Row], Row | None]] = field(default_factory=list)  # the version that shows, or none
    hides: list[Callable[[Row], bool]] = field(default_factory=list)  # after the limit
    counts_hidden: bool = True
    columns: set[str] = field(default_factory=set)  # that are dropped
    closed: str = ""  # "empty", "missing" or "forbidden": all reads of the table
    zone: str = ""  # of the account, instead of GMT
    unserviced: Callable[[list[str]], set[str]] | None = None  # of the ids of a batch

    def shows(self, row: Row) -> Row | None:
        shown: Row | None = row
        for see in self.see:
            shown = None if shown is None else see(shown)
        return shown

    def hidden(self, row: Row) -> bool:
        return any(hides(row) for hides in self.hides)


CLEAR = Lens()


def lens_of(scope: Scope) -> Lens:
    found: Lens = scope.get(PLACE, CLEAR)
    return found


def hang(scope: Scope) -> Lens:
    """The lens of this request, made when there is none."""
    made: Lens = scope.setdefault(PLACE, Lens())
    return made
