"""The part of JQL that the imitated search understands, with Jira's refusals for the rest.

    query  = [or] ["ORDER BY" field ["ASC"|"DESC"] {"," ...}]
    or     = and {"OR" and}        and = term {"AND" term}        term = "(" or ")" | field operator value

Fields: project, key, id, created, updated, status, assignee, issuetype. Times are epoch milliseconds, or text with
minute precision that is read in the time zone of the asking account. A query without a condition is refused, as Jira
refuses unbounded queries.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from connectors.sandbox.jira_state import SandboxIssue

WORD = re.compile(r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<sign>!=|>=|<=|[=<>(),])|(?P<word>[^\s=<>!(),"']+))""")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
MAX_ORDER_FIELDS = 7

Values = Mapping[str, Any]
Test = Callable[[SandboxIssue, Values], bool]


class BadQuery(Exception):
    """What Jira answers with 400."""


def _named(*paths: str) -> Callable[[SandboxIssue, Values], set[str]]:
    """All spellings by which an option-like field can be asked for, in lower case."""

    def read(_: SandboxIssue, values: Values) -> set[str]:
        held = values.get(paths[0])
        spellings = {held[part] for part in paths[1:]} if isinstance(held, dict) else {held} if held else set()
        return {spelling.lower() for spelling in spellings}

    return read


SETS: dict[str, Callable[[SandboxIssue, Values], set[str]]] = {
    "project": _named("project", "id", "key", "name"),
    "status": _named("status", "id", "name"),
    "issuetype": _named("issuetype", "id", "name"),
    "assignee": _named("assignee"),
    "key": lambda issue, _: {issue.key.lower(), issue.issue_id},
    "id": lambda issue, _: {issue.key.lower(), issue.issue_id},
}
TIMES = ("created", "updated")
ORDER: dict[str, Callable[[SandboxIssue, Values], Any]] = {
    "created": lambda _, values: values["created"],
    "updated": lambda _, values: values["updated"],
    "key": lambda issue, _: int(issue.key.rsplit("-", 1)[1]),
    "id": lambda issue, _: int(issue.issue_id),
}


@dataclass(frozen=True, slots=True)
class Query:
    test: Test
    order: tuple[tuple[str, bool], ...]  # field, descending

    def run(self, seen: Sequence[tuple[SandboxIssue, Values]]) -> list[tuple[SandboxIssue, Values]]:
        """Matching issues with the values that search sees, in the asked order; newest first when none was asked."""
        found = [(issue, values) for issue, values in seen if self.test(issue, values)]
        for name, descending in reversed(self.order or (("created", True), ("key", True))):
            found.sort(key=lambda entry: ORDER[name](*entry), reverse=descending)
        return found


def parse(jql: str, zone: int | tzinfo = 0) -> Query:
    """`zone` of the asking account, also as minutes east of Greenwich."""
    return _Parser(jql, zone if isinstance(zone, tzinfo) else timezone(timedelta(minutes=zone))).query()


class _Parser:
    def __init__(self, jql: str, zone: tzinfo) -> None:
        self.zone = zone
        self.tokens: list[str] = []
        at = 0
        jql = jql.rstrip()
        while at < len(jql):
            match = WORD.match(jql, at)
            if match is None:
                raise BadQuery(f"Error in the JQL Query: the character '{jql[at]}' at position {at} is not expected.")
            self.tokens.append(match.group().strip())
            at = match.end()
        self.tokens.reverse()

    def _next(self) -> str:
        return self.tokens[-1].upper() if self.tokens else ""

    def _take(self, expected: str = "") -> str:
        if not self.tokens or (expected and self._next() != expected):
            found = self.tokens[-1] if self.tokens else "the end of the query"
            raise BadQuery(f"Error in the JQL Query: expecting {expected or 'a value'} but got '{found}'.")
        return self.tokens.pop()

    def query(self) -> Query:
        if not self.tokens or self._next() == "ORDER":
            raise BadQuery("Unbounded JQL queries are not allowed here. Please add a search restriction to your query.")
        test, order = self._either(), self._order()
        if self.tokens:
            raise BadQuery(f"Error in the JQL Query: '{self.tokens[-1]}' is not expected here.")
        return Query(test, order)

    def _order(self) -> tuple[tuple[str, bool], ...]:
        order: list[tuple[str, bool]] = []
        if self._next() == "ORDER":
            self._take()
            self._take("BY")
            while True:
                name = self._take().lower()
                if name not in ORDER:
                    raise BadQuery(f"Not able to sort using field '{name}'.")
                order.append((name, self._next() == "DESC"))
                if self._next() in ("ASC", "DESC"):
                    self._take()
                if self._next() != ",":
                    break
                self._take()
        if len(order) > MAX_ORDER_FIELDS:
            raise BadQuery(f"The query sorts by {len(order)} fields; at most {MAX_ORDER_FIELDS} are allowed.")
        return tuple(order)

    def _either(self) -> Test:
        tests = [self._both()]
        while self._next() == "OR":
            self._take()
            tests.append(self._both())
        return lambda issue, values: any(test(issue, values) for test in tests)

    def _both(self) -> Test:
        tests = [self._term()]
        while self._next() == "AND":
            self._take()
            tests.append(self._term())
        return lambda issue, values: all(test(issue, values) for test in tests)

    def _term(self) -> Test:
        if self._next() == "(":
            self._take()
            test = self._either()
            self._take(")")
            return test
        name, sign = self._take().lower(), self._take().lower()
        if name in TIMES and sign in COMPARE:
            bound, compare = self._moment(self._take()), COMPARE[sign]
            return lambda _, values: compare(values[name], bound)
        if name not in SETS:
            raise BadQuery(f"Field '{name}' does not exist or you do not have permission to view it.")
        negated = sign in ("not", "!=")
        if sign == "not":
            self._take("IN")
        elif sign not in ("=", "!=", "in"):
            raise BadQuery(f"The operator '{sign}' is not supported by the '{name}' field.")
        wanted = self._list() if sign in ("in", "not") else {self._value()}
        read = SETS[name]
        return lambda issue, values: read(issue, values).isdisjoint(wanted) is negated

    def _value(self) -> str:
        return self._take().strip("\"'").lower()

    def _list(self) -> set[str]:
        self._take("(")
        wanted = {self._value()}
        while self._next() == ",":
            self._take()
            wanted.add(self._value())
        self._take(")")
        return wanted

    def _moment(self, text: str) -> int:
        """Epoch milliseconds of a JQL time; text has minutes only and no zone of its own."""
        text = text.strip("\"'")
        if text.lstrip("-").isdigit():
            return int(text)
        for shape in ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d"):
            try:
                local = datetime.strptime(text, shape).replace(tzinfo=self.zone)
            except ValueError:
                continue
            return int(local.astimezone(UTC).timestamp() * 1000)
        raise BadQuery(f"Date value '{text}' is invalid. Valid formats include: 'yyyy-MM-dd HH:mm', 'yyyy-MM-dd'.")
