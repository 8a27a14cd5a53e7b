"""Entity tags: an answer that has not changed need not be made again.

Decides: for which answers a tag is given (a registered document that came by GET and is compiled), and what is in it:
schema, document, operation, variables, statement, media type; tenant, person and what he is now; which policies stand;
and how often each table that the statement or a right reads has changed. Read in the same snapshot as the answer. A tag
is opaque and tells nothing.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from api.graphql.binding import TYPES
from api.graphql.bucket import Free, Purse
from api.graphql.operations import Operation, Request
from api.graphql.served import SCHEMA
from schema.viewer import Viewer

SIZE_BYTES = 12
TAG = re.compile(r'(?:W/)?("[^"]*")')
# Whoever asks is judged by these, whatever the statement reads.
ALWAYS = frozenset(
    {
        "access.reporting_closure",
        "access.role_grant",
        "mirror.account",
        "mirror.person",
        "mirror.team",
        "mirror.team_membership",
    }
)
TABLE = re.compile(rf"\b(?:{'|'.join(sorted({str(bound.table.schema) for bound in TYPES.values()}))})\.[a-z_]+")


@lru_cache(1)
def _schema() -> bytes:
    return blake2b(SCHEMA.as_str().encode()).digest()


@lru_cache(1024)
def areas(sql: str) -> tuple[str, ...]:
    """The tables that a statement names, and those that rights are read from."""
    return tuple(sorted(ALWAYS | set(TABLE.findall(sql))))


@dataclass(slots=True)
class Due:
    """What of the price is still to be paid, by whom the answer has to be made for. It is paid once."""

    purse: Purse | Free
    points: int

    async def pay(self) -> None:
        points, self.points = self.points, 0
        if points:
            await self.purse.pay(points)


@dataclass(frozen=True, slots=True)
class Tagging:
    """Of one request: what of the tag is known before the database is asked."""

    request: Request
    operation: Operation
    viewer: Viewer
    due: "Due"

    def tag(self, sql: str, standing: str, versions: str) -> str:
        """The tag for an answer of this statement, a viewer who is this now, and data that has come so far."""
        parts: list[Any] = [
            self.operation.document.id,
            self.request.operation_name,
            self._variables(),
            sql,
            self.request.media,
            str(self.viewer.tenant_id),
            str(self.viewer.person_id),
            standing,
            versions,
        ]
        key = _schema()
        return f'"{blake2b(orjson.dumps(parts), digest_size=SIZE_BYTES, key=key[:64]).hexdigest()}"'

    def held(self, tag: str) -> bool:
        """Whether the caller says that he has the answer with this tag (RFC 9110: weak comparison)."""
        return tag in TAG.findall(self.request.if_none_match)

    def _variables(self) -> str:
        """Those that the operation declares, as they were sent. Nothing else that was sent changes the answer."""
        declared = {each.variable.name.value for each in self.operation.node.variable_definitions or ()}
        sent = {name: value for name, value in self.request.variables.items() if name in declared}
        return orjson.dumps(sent, option=orjson.OPT_SORT_KEYS).decode()
