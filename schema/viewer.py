"""Who a transaction works as, and for whom."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from schema.identity import DEFAULT_TENANT


class DbRole(StrEnum):
    """Who we are to the database. None of them owns a table or escapes row security."""

    APP = "evenhand_app"  # reads for people
    INTAKE = "evenhand_intake"  # inserts deliveries, reads nothing of them
    WORKER = "evenhand_worker"  # mirrors and scores
    PAY = "evenhand_pay"  # awards, ledger, payout files
    SEQUENCER = "evenhand_sequencer"  # positions in the audit log


@dataclass(frozen=True, slots=True)
class Viewer:
    """For whom a transaction works. No person is a job of ours: policies then show only what the role alone may see."""

    person_id: UUID | None = None
    tenant_id: UUID = DEFAULT_TENANT
    request_id: str = ""


SYSTEM = Viewer()
