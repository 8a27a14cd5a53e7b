"""Everything that runs in one sandbox: the imitated tools, what waits to be sent, what was misbehaved.

A tool takes part by standing in the tables of its modules: acts.py (what its users do), clock.py (how its time passes),
truth.py (what it holds), hooks.py (how it sends), faults.py (what it does wrong).
"""

from dataclasses import dataclass, field

from connectors.sandbox.company import Company
from connectors.sandbox.deliveries import Outbox, Progress
from connectors.sandbox.hooks import Hooks
from connectors.sandbox.jira_state import JiraState
from connectors.sandbox.servicenow import Instance
from connectors.sandbox.servicenow_records import Records


@dataclass(slots=True)
class Sandbox:
    """`outboxes` is the registry of recorded senders, by tool: "servicenow", "jira"."""

    records: Records
    instance: Instance
    outboxes: dict[str, Outbox]
    company: Company | None  # with the truth behind the records; None when a log is loaded
    hooks: Hooks = field(default_factory=Hooks)
    jira: JiraState | None = None
    progress: dict[str, Progress] = field(default_factory=dict)
