"""The data contract of what people hand over as files (and suppliers through an interface): columns by header name.

Source: the YAML documents beside this module, or a customer's own of the same shape in force. Decides which columns are
read and how, which of them make the key of a row, how the text is encoded, and which share of a file may be rejected.
What it does not name is never stored. Owner, targets and rules are read by connectors/rules.py from the same document.
Refuses with PLAN_INVALID, naming the place, what is not such a contract.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path

from connectors.files.columns import BUILT, PLAIN, Reader
from connectors.rules import TERMS
from engine.documents import Place, read_document
from engine.words import Finality, MirrorKind, Source
from schema.typed import columns_of

# What is called what on the command line, and which source it comes from.
DROPS: Mapping[str, Source] = {
    "employment": Source.HRIS, "budgets": Source.FINANCE, "payroll-results": Source.PAYROLL,
    "vendor-sla": Source.VENDOR,
}  # fmt: skip
ENCODINGS: Mapping[str, str] = {"utf-8": "utf-8-sig", "windows-1252": "cp1252", "iso-8859-1": "iso-8859-1"}
AS_OF = "as_of"  # a field of this name says when the file, or the record of a feed, was true
ANY_FEED = "any"
# Fields that are no columns of the mirror: they lead to a person or a service (connectors/files/links.py).
LEADING: Mapping[MirrorKind, frozenset[str]] = {
    MirrorKind.EMPLOYMENT: frozenset({"email"}),
    MirrorKind.PAYROLL_RESULT: frozenset({"email"}),
    MirrorKind.VENDOR_SLA_RESULT: frozenset({"service"}),
}
FILLED_BY_LINKS = frozenset({"person_id", "vendor_id", "service_id"})
WORDS: Mapping[str, frozenset[str]] = {"status": frozenset(Finality)}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: the header above it, how its text is read, and whether a row is nothing without it."""

    name: str
    header: str
    read: Reader
    required: bool = False
    stored: bool = True  # a column of the mirror


@dataclass(frozen=True, slots=True)
class Feed:
    """How an interface answers: where its records stand, how pages follow each other, what asks for changes alone."""

    records: str
    next: str = ""
    parameter: str = "cursor"
    since: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
    source: Source
    kind: MirrorKind
    entity: str
    fields: tuple[Field, ...]
    key: tuple[tuple[str, ...], ...]  # of the fields of one part the first that is not empty counts
    encoding: str = "utf-8"
    delimiter: str = ","
    most_rejected: Fraction = Fraction(0)
    as_of: Field | None = None
    feeds: Mapping[str, Feed] = field(default_factory=dict)

    def called(self, name: str) -> str:
        """The header of a field, as people know it."""
        return next((each.header for each in self.fields if each.name == name), name)

    def feed(self, name: str) -> Feed | None:
        return self.feeds.get(name, self.feeds.get(ANY_FEED))


@cache
def shipped(source: Source) -> str:
    """The text of the contract that we ship."""
    (name,) = [name for name, of in DROPS.items() if of is source]
    return (Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8")


def read_contract(source: Source, text: str) -> Contract:
    place = read_document(text)
    place.keys(("kind", "entity", "file", "key", "fields"), ("feeds", *TERMS))
    kind = place.at("kind").word(MirrorKind)
    fields, as_of = [], None
    for name, given in place.at("fields").entries():
        one = _field(kind, name, given)
        if name == AS_OF:
            as_of = one
        else:
            fields.append(one)
    file = place.at("file")
    file.keys(("encoding", "delimiter", "most_rejected"))
    key = tuple(_part(part, fields) for part in place.at("key").items(1))
    encoding = file.at("encoding").text(32)
    if encoding not in ENCODINGS:
        raise file.at("encoding").refused(f"{encoding!r} is not read", f"Use one of: {', '.join(ENCODINGS)}.")
    feeds = {name: _feed(given) for name, given in place.at("feeds").entries()} if place.has("feeds") else {}
    share = file.at("most_rejected").share()
    entity = place.at("entity").key()
    return Contract(
        source, kind, entity, tuple(fields), key, encoding, _delimiter(file.at("delimiter")), share, as_of, feeds
    )


def _delimiter(place: Place) -> str:
    known = {",": ",", ";": ";", "|": "|", "tab": "\t"}
    text = place.node if isinstance(place.node, str) else ""
    if text not in known:
        raise place.refused(f"{text!r} separates no columns", "Use one of: , ; | tab.")
    return known[text]


def _field(kind: MirrorKind, name: str, place: Place) -> Field:
    how = place.at("as").text(32)
    if how not in PLAIN and how not in BUILT:
        raise place.at("as").refused(f"{how!r} is no way to read", f"Use one of: {', '.join((*PLAIN, *BUILT))}.")
    more = (BUILT[how][0],) if how in BUILT else ()
    place.keys(("from", "as", *more), ("required",))
    columns = set(columns_of(kind)) - FILLED_BY_LINKS
    leading = LEADING.get(kind, frozenset())
    if name not in columns | leading | {AS_OF}:
        raise place.refused(f"{kind} has no field {name!r}", f"Use one of: {', '.join(sorted(columns | leading))}.")
    if name == AS_OF and how != "moment":
        raise place.at("as").refused("the moment of a file is read as a moment", "Write as: moment.")
    if how == "choice":
        for word, at in place.at("values").entries():
            if name in WORDS and at.node not in WORDS[name]:
                raise at.refused(f"{word!r} cannot mean this", f"Use one of: {', '.join(sorted(WORDS[name]))}.")
    read = PLAIN[how] if how in PLAIN else BUILT[how][1](place.at(BUILT[how][0]))
    required = place.at("required").yes() if place.has("required") else False
    return Field(name, place.at("from").text(200), read, required, name in columns)


def _part(place: Place, fields: list[Field]) -> tuple[str, ...]:
    """One field, or a list of fields of which one must be filled in."""
    names = tuple(each.text(64) for each in place.items(2)) if isinstance(place.node, list) else (place.text(64),)
    known = [each.name for each in fields]
    for name in names:
        if name not in known:
            raise place.refused(f"{name!r} is not a field", f"Use some of: {', '.join(known)}.")
    return names


def _feed(place: Place) -> Feed:
    place.keys(("records",), ("next", "parameter", "since"))
    said = {name: place.at(name).text(100) for name in place.mapping()}
    return Feed(**said)
