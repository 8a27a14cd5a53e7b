"""How big a document may be. Measured in one walk; a fragment is measured once, however often it is spread.

Limits for documents that we do not know beforehand: 1,500 tokens, 20 operations, 10 levels of objects, and in each
operation 10 aliases, 20 root fields, 20 directives and 3 on one field. Documents that only ask for the schema itself
may be as deep as its tools write them. What is too large is refused before the rules of GraphQL look at it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionSetNode,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from graphql.validation.validate import ValidationAbortedError

from api.graphql.arguments import LIST_MAX
from engine.refusal import Code, Refused

TOKENS_MAX = 1500
DEPTH_MAX = 10
ALIASES_MAX = 10
ROOT_FIELDS_MAX = 20
DIRECTIVES_MAX = 20
DIRECTIVES_ON_FIELD_MAX = 3
OPERATIONS_MAX = 20
ERRORS_MAX = 5
COMPARED_MAX = 20_000  # steps of the rule that compares fields of equal names; a large dashboard takes some hundreds
BEYOND = 10**6
ANSWER_MAX_BYTES = 8 * 1024 * 1024

# The library's own meter of the rule whose work grows with the square of the document.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = COMPARED_MAX


@dataclass(slots=True)
class Size:
    """Of a selection: levels of objects below it, and how much of each kind stands in it."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    on_one_field: int = 0

    def add(self, other: "Size") -> None:
        """Take in a part at the same level."""
        self.depth = max(self.depth, other.depth)
        self.fields += other.fields
        self._sum(other)

    def nest(self, other: "Size") -> None:
        """Take in what stands one level below."""
        self.depth = max(self.depth, other.depth + 1)
        self._sum(other)

    def _sum(self, other: "Size") -> None:
        self.aliases += other.aliases
        self.directives += other.directives
        self.on_one_field = max(self.on_one_field, other.on_one_field)


class _Measure:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._known: dict[str, Size] = {}

    def of(self, selections: SelectionSetNode | None) -> Size:
        size = Size()
        for each in selections.selections if selections else ():
            marks = len(each.directives or ())
            size.add(Size(directives=marks, on_one_field=marks))
            if isinstance(each, FragmentSpreadNode):
                size.add(self._fragment(each.name.value))
            elif isinstance(each, FieldNode):
                own = Size(fields=1, aliases=1 if each.alias else 0)
                if each.selection_set and not each.name.value.startswith("__"):
                    own.nest(self.of(each.selection_set))
                size.add(own)
            else:
                size.add(self.of(getattr(each, "selection_set", None)))
        return size

    def _fragment(self, name: str) -> Size:
        if name not in self._known:
            self._known[name] = Size()  # a fragment inside itself adds nothing: another rule refuses it
            found = self._fragments.get(name)
            self._known[name] = self.of(found.selection_set if found else None)
        return self._known[name]


LIMITS: tuple[tuple[str, Callable[[Size], int], int], ...] = (
    ("levels", lambda size: size.depth, DEPTH_MAX),
    ("aliases", lambda size: size.aliases, ALIASES_MAX),
    ("fields at the root", lambda size: size.fields, ROOT_FIELDS_MAX),
    ("directives", lambda size: size.directives, DIRECTIVES_MAX),
    ("directives on one field", lambda size: size.on_one_field, DIRECTIVES_ON_FIELD_MAX),
)


def oversized(document: DocumentNode) -> list[GraphQLError]:
    """What is larger than LIMITS, operation by operation. It is asked before any other rule: those may take long."""
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if len(operations) > OPERATIONS_MAX:
        return [too_complex(f"{len(operations)} operations", str(OPERATIONS_MAX))]
    measure = _Measure(document)
    sizes = [(each, measure.of(each.selection_set)) for each in operations]
    return [
        too_complex(f"{of(size)} {what}" if of(size) < BEYOND else f"far too many {what}", str(most), each)
        for each, size in sizes
        for what, of, most in LIMITS
        if of(size) > most
    ][:ERRORS_MAX]


def listed(errors: Sequence[GraphQLError]) -> list[GraphQLError]:
    """At most ERRORS_MAX. Where a rule gave up, the document has more to compare than COMPARED_MAX."""
    if len(errors) > ERRORS_MAX or not any(isinstance(each, ValidationAbortedError) for each in errors):
        return list(errors[:ERRORS_MAX])
    return [too_complex("too many equal fields or fragments side by side", "fewer")]


def too_complex(found: str, most: str, node: Any = None) -> GraphQLError:
    return GraphQLError(
        f"The document has {found}; {most} are allowed.", node, extensions={"code": Code.DOCUMENT_TOO_COMPLEX.value}
    )


def short(value: Any) -> None:
    """Refuse a list of more than LIST_MAX items, at any depth: making values of it takes longer than refusing it."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list) and len(each) > LIST_MAX:
            raise Refused(Code.INPUT_TOO_LARGE, f"A list has more than {LIST_MAX} items.", "Ask in several steps.")
        if isinstance(each, list | dict):
            waiting += each if isinstance(each, list) else each.values()


def too_large() -> Refused:
    """The answer to what would be longer than ANSWER_MAX_BYTES."""
    return Refused(
        Code.ANSWER_TOO_LARGE,
        f"The answer is larger than {ANSWER_MAX_BYTES // 1024**2} MiB.",
        "Ask for smaller pages, or for all of it by a bulk export (startBulkExport).",
    )
