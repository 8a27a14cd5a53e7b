"""ServiceNow's encoded queries: `active=true^stateIN1,2^NQpriority=1^ORDERBYsys_id`.

Decides how a query string is read and which rows it takes. `^` is AND, `^OR` binds to the condition just before it,
`^NQ` starts another whole filter. As in the product an invalid part (unknown column, no operator) is ignored and the
rest runs, so that a misspelt column returns the whole table. Names, operators and values are case-sensitive.
Source: Table API reference, "Operators available for filters and queries".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Row = Mapping[str, str]
Reader = Callable[[Row], str]  # the value of one column of a row, "" when it is empty
Test = Callable[[str], bool]

_PART = re.compile(
    r"([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)"
    r"(!=|<=|>=|=|<|>|NSAMEAS|SAMEAS|GT_FIELD|LT_FIELD|GT_OR_EQUALS_FIELD|LT_OR_EQUALS_FIELD"
    r"|NOT IN|NOT LIKE|ISNOTEMPTY|ISEMPTY|STARTSWITH|ENDSWITH|BETWEEN|LIKE|IN)(.*)",
    re.DOTALL,
)
_NUMBER = re.compile(r"-?\d{1,15}(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Condition:
    column: str
    operator: str
    value: str
    read: Reader
    test: Test


AnyOf = list[Condition]
AllOf = list[AnyOf]


@dataclass(slots=True)
class Query:
    filters: list[AllOf] = field(default_factory=list)  # one is enough; an empty filter takes every row
    order: list[tuple[str, bool, Reader]] = field(default_factory=list)  # column, descending
    ignored: list[str] = field(default_factory=list)

    def takes(self, row: Row) -> bool:
        for every in self.filters:
            for some in every:
                for condition in some:
                    if condition.test(condition.read(row)):
                        break
                else:
                    break
            else:
                return True
        return False

    def after_id(self) -> str | None:
        """The `sys_id>S` of a keyset page, when the whole query depends on it and the rows come in its order."""
        if len(self.filters) != 1 or not self.order or self.order[0][:2] != ("sys_id", False):
            return None
        for some in self.filters[0]:
            if len(some) == 1 and some[0].column == "sys_id" and some[0].operator == ">":
                return some[0].value
        return None


def parse(text: str, reader: Callable[[str], Reader | None]) -> Query:
    """`reader` gives the reader of a column, or None for a column that the table does not have."""
    query = Query()
    for filter_text in text.split("^NQ"):
        every: AllOf = []
        for part in filter_text.split("^"):
            if part.startswith("ORDERBY"):
                _order(query, part, reader)
                continue
            either = part.startswith("OR")
            condition = _condition(part[2:] if either else part, reader)
            if condition is None:
                if part:
                    query.ignored.append(part)
            elif either and every:
                every[-1].append(condition)
            else:
                every.append([condition])
        query.filters.append(every)
    return query


def _order(query: Query, part: str, reader: Callable[[str], Reader | None]) -> None:
    descending = part.startswith("ORDERBYDESC")
    column = part.removeprefix("ORDERBYDESC" if descending else "ORDERBY")
    read = reader(column)
    if read is None:
        query.ignored.append(part)
    else:
        query.order.append((column, descending, read))


def _condition(part: str, reader: Callable[[str], Reader | None]) -> Condition | None:
    match = _PART.fullmatch(part)
    if match is None:
        return None
    column, operator, value = match.groups()
    read = reader(column)
    if operator in _FIELD_TESTS:
        return _between_columns(column, operator, value, read, reader(value))
    test = _TESTS[operator](value)
    return None if read is None or test is None else Condition(column, operator, value, read, test)


def _between_columns(
    column: str, operator: str, other: str, read: Reader | None, read_other: Reader | None
) -> Condition | None:
    """Two columns of one row against each other."""
    if read is None or read_other is None:
        return None
    left, right, holds = read, read_other, _FIELD_TESTS[operator]
    return Condition(column, operator, other, lambda row: "yes" if holds(left(row), right(row)) else "", bool)


def sort_key(value: str) -> tuple[int, float, str]:
    """Numbers by size, everything else as text; dates sort right as text."""
    return (0, float(value), "") if _NUMBER.fullmatch(value) else (1, 0.0, value)


def _compared(holds: Callable[[object, object], bool]) -> Callable[[str], Test]:
    def build(limit: str) -> Test:
        if not _NUMBER.fullmatch(limit):
            return lambda value: value != "" and holds(value, limit)
        number = float(limit)
        return lambda value: holds(float(value), number) if _NUMBER.fullmatch(value) else False

    return build


def _between(text: str) -> Test | None:
    low, mark, high = text.partition("@")
    if not mark:
        return None
    first, last = sort_key(low), sort_key(high)
    return lambda value: value != "" and first <= sort_key(value) <= last


def _in(text: str) -> Test:
    wanted = frozenset(text.split(","))
    return lambda value: value in wanted


def _not_in(text: str) -> Test:
    unwanted = frozenset(text.split(","))
    return lambda value: value not in unwanted


_TESTS: dict[str, Callable[[str], Test | None]] = {
    "=": lambda wanted: lambda value: value == wanted,
    "!=": lambda unwanted: lambda value: value != unwanted,
    "<": _compared(lambda a, b: a < b),  # type: ignore[operator]
    "<=": _compared(lambda a, b: a <= b),  # type: ignore[operator]
    ">": _compared(lambda a, b: a > b),  # type: ignore[operator]
    ">=": _compared(lambda a, b: a >= b),  # type: ignore[operator]
    "IN": _in,
    "NOT IN": _not_in,
    "LIKE": lambda piece: lambda value: piece in value,
    "NOT LIKE": lambda piece: lambda value: piece not in value,
    "STARTSWITH": lambda start: lambda value: value.startswith(start),
    "ENDSWITH": lambda end: lambda value: value.endswith(end),
    "ISEMPTY": lambda _: lambda value: value == "",
    "ISNOTEMPTY": lambda _: lambda value: value != "",
    "BETWEEN": _between,
}
_FIELD_TESTS: dict[str, Callable[[str, str], bool]] = {
    "SAMEAS": lambda a, b: a == b,
    "NSAMEAS": lambda a, b: a != b,
    "GT_FIELD": lambda a, b: sort_key(a) > sort_key(b),
    "LT_FIELD": lambda a, b: sort_key(a) < sort_key(b),
    "GT_OR_EQUALS_FIELD": lambda a, b: sort_key(a) >= sort_key(b),
    "LT_OR_EQUALS_FIELD": lambda a, b: sort_key(a) <= sort_key(b),
}
