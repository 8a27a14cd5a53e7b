"""Running a plan: one statement in a snapshot of its own, and the answer's bytes as PostgreSQL wrote them.

Decides: which failures the standard execution may answer instead (a null where none may be, a value that a column
cannot hold, a statement that is wrong), and that the rest is final: a statement that took too long, a refused right.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from api import identity
from api.graphql.planner.bind import Unplannable
from api.graphql.planner.plan import Plan
from api.graphql.tags import Tagging, areas
from schema.reads import Reads, told
from schema.viewer import Viewer

NULL_VIOLATION = "GQ001"
DATA_EXCEPTION = "22"
WRONG_STATEMENT = "42"
NOT_ALLOWED = "42501"

STANDING = "select app.member(), app.standing(), app.data_versions($1)"

_log = logging.getLogger("evenhand.graphql")


@dataclass(frozen=True, slots=True)
class Ran:
    """The whole `data` object, or None where the caller holds it already; and its tag, if it has one."""

    data: bytes | None
    tag: str


async def run(
    plan: Plan, parameters: Sequence[Any], reads: Reads, viewer: Viewer, tagging: Tagging | None = None
) -> Ran:
    """The answer of a plan. Raises Unplannable where the standard execution must answer."""
    tag = ""
    try:
        if tagging is None:
            found = await reads.row(viewer, plan.sql, parameters)
        else:
            async with reads.snapshot(viewer) as snapshot:
                known, *now = await snapshot.row(STANDING, [areas(plan.sql)])
                if not known:
                    raise identity.unauthenticated()
                tag = tagging.tag(plan.sql, *now)
                if tagging.held(tag):
                    return Ran(None, tag)
                await tagging.due.pay()
                found = await snapshot.row(plan.sql, [*parameters, *told(viewer)])
    except (asyncpg.PostgresError, asyncpg.DataError) as wrong:
        state = getattr(wrong, "sqlstate", None) or DATA_EXCEPTION
        if state == NULL_VIOLATION or state.startswith(DATA_EXCEPTION):
            raise Unplannable("data") from None
        if state.startswith(WRONG_STATEMENT) and state != NOT_ALLOWED:
            _log.error("defect in a planned statement: %s", state)
            raise Unplannable("defect") from None
        raise
    if found is None:
        raise identity.unauthenticated()
    return Ran(joined(plan.keys, found), tag)


def joined(keys: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    return b"{" + b",".join(key + value for key, value in zip(keys, values, strict=True)) + b"}"
