"""What the imitated tools really hold, whatever a limited account or a broken answer would show of it.

{tool: {table: {key: raw row}}}, as a reader with all rights would see it now.
"""

from collections.abc import Callable, Collection
from typing import Any

from connectors.sandbox.jira_part import truth_of
from connectors.sandbox.world import Sandbox

Held = dict[str, dict[str, Any]]


def _servicenow(sandbox: Sandbox) -> Held:
    records = sandbox.records
    return {
        name: {row["sys_id"]: row for row in records.standing(table)} for name, table in sorted(records.tables.items())
    }


TRUTHS: dict[str, Callable[[Sandbox], Held]] = {"servicenow": _servicenow, "jira": truth_of}


def truth(sandbox: Sandbox, tables: Collection[str] = ()) -> dict[str, Held]:
    """All of it, or some tables alone."""
    found = {tool: held(sandbox) for tool, held in TRUTHS.items()}
    return {tool: {n: rows for n, rows in held.items() if not tables or n in tables} for tool, held in found.items()}
