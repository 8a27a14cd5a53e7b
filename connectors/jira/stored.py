"""What the mirror kept of a Jira record, as the record that it was read from: the way back from payload to page.

An approval and a clock are one record of Jira and several of ours, so each of ours keeps its own part. Put together
again, a part is a whole record that speaks of that part alone. Pure; the reverse of connectors/jira/translate.py.
"""

from collections.abc import Callable, Mapping
from typing import Any

Raw = Mapping[str, Any]


def raw_of(entity: str, stored: Raw) -> tuple[str, Raw]:
    """The entity and the raw record that this payload was made of."""
    back = _BACK.get(entity)
    return back(stored) if back is not None else (entity, stored)


def _satisfaction(stored: Raw) -> tuple[str, Raw]:
    return "issue", stored


def _approval(stored: Raw) -> tuple[str, Raw]:
    approval = {**stored["approval"], "approvers": [stored["answer"]]}
    return "request_approval", {**stored, "approval": approval}


def _clock(stored: Raw) -> tuple[str, Raw]:
    """A cycle without a stop is the running one."""
    about = {name: value for name, value in stored.items() if name not in ("id", "name", "cycle")}
    cycle = stored["cycle"]
    running = "stopTime" not in cycle
    cycles: Raw = {"ongoingCycle": cycle} if running else {"completedCycles": [cycle]}
    return "request_sla", {**about, "metric": {"id": stored["id"], "name": stored["name"], **cycles}}


_BACK: Mapping[str, Callable[[Raw], tuple[str, Raw]]] = {
    "issue_satisfaction": _satisfaction,
    "request_approval": _approval,
    "request_sla": _clock,
}
