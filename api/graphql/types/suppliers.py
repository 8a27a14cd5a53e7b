"""Agreements about time and the clocks under them; suppliers, contracts and what they report about a period.

Everybody sees which agreements and suppliers there are. Clocks are for auditors and administrators; contracts and
results of suppliers also for finance and those who publish plans.
"""

from datetime import date, datetime
from decimal import Decimal

from api.graphql.binding import Node, about, shown, to_one
from api.graphql.connections import Connection, connection
from api.graphql.filters import VendorSlaResultFilter
from api.graphql.scalars import BigInt
from api.graphql.types.organisation import GONE, SOURCE, SOURCE_KEY, Service
from api.graphql.types.tickets import RECORD, Change, Incident, RecordType
from engine.words import Finality, SlaStage, SlaTarget, SlaType, Source
from schema.tables import mirror, suppliers


@shown(mirror.Vendor, "A supplier. Everybody sees that it exists.")
class Vendor(Node):
    name: str = about("The name.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    results: "Connection[VendorSlaResult]" = connection(
        "VendorSlaResult",
        "How it met its agreements, for those who may see that.",
        filters=VendorSlaResultFilter,
        keys=("id",),
        match=lambda c, keys: c.vendor_id == keys[0],
    )


@shown(mirror.SlaDefinition, "An agreement about time. Everybody sees which there are.")
class SlaDefinition(Node):
    name: str = about("The name.")
    sla_type: SlaType | None = about("Between whom it stands.")
    target: SlaTarget | None = about("What it measures.")
    duration_seconds: BigInt | None = about("Seconds that were agreed.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    vendor: Vendor | None = to_one("Vendor", "vendor_id", "The supplier, for an agreement with one.")


@shown(mirror.TaskSla, "One clock on one task. For auditors and administrators.")
class TaskSla(Node):
    sla_type: SlaType | None = about("Between whom it stands, where the definition cannot be read.")
    target: SlaTarget | None = about("What it measures, where the definition cannot be read.")
    stage: SlaStage | None = about("What the clock does.")
    has_breached: bool | None = about("Whether the agreed time was exceeded.")
    started_at: datetime | None = about("When it began to run.")
    ended_at: datetime | None = about("When it stopped.")
    planned_end_at: datetime | None = about("When the agreed time is over.")
    business_seconds: BigInt | None = about("Seconds in business hours that count.")
    business_pause_seconds: BigInt | None = about("Seconds in business hours that it stood still.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    definition: SlaDefinition | None = to_one("SlaDefinition", "definition_id", "The agreement.")
    vendor: Vendor | None = to_one("Vendor", "vendor_id", "The supplier, where the clock itself names one.")
    incident: Incident | None = to_one("Incident", "task_id", "The incident that it runs on; null for other tasks.")
    change: Change | None = to_one("Change", "task_id", "The change that it runs on; null for other tasks.")
    record: RecordType | None = to_one("MirrorRecord", "id", RECORD)


@shown(
    suppliers.Contract, "An agreement with a supplier. For auditors, administrators, finance and plan administrators."
)
class Contract(Node):
    number: str = about("The number in the tool.")
    name: str | None = about("The name.")
    vendor_reference: str | None = about("The supplier's own number of it.")
    source_state: str | None = about("The tool's word for its state.")
    starts_on: date | None = about("The first day.")
    ends_on: date | None = about("The last day, as the tool has it.")
    active: bool | None = about("Whether it runs.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    vendor: Vendor | None = to_one("Vendor", "vendor_id", "The supplier.")


@shown(
    suppliers.ServiceOffering,
    "A service as it is offered, with the contract behind it. For auditors, administrators, finance and plan "
    "administrators.",
)
class ServiceOffering(Node):
    name: str = about("The name.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    service: Service | None = to_one("Service", "service_id", "The service.")
    contract: Contract | None = to_one("Contract", "contract_id", "The contract behind it.")
    vendor: Vendor | None = to_one("Vendor", "vendor_id", "The supplier.")


@shown(
    suppliers.VendorSlaResult,
    "How a supplier met one agreement in one period. For auditors, administrators, finance and plan administrators.",
)
class VendorSlaResult(Node):
    vendor_name: str | None = about("The supplier, as it calls itself.")
    agreement: str | None = about("The agreement, as the supplier calls it.")
    metric: str | None = about("What was measured.")
    period_starts_on: date | None = about("The first day of the period.")
    period_ends_on: date | None = about("The first day after the period.")
    met: BigInt | None = about("Cases that met the agreement.")
    total: BigInt | None = about("Cases in all.")
    attainment: Decimal | None = about("The share that met it, 0 to 1, where only that is told.")
    status: Finality | None = about("Whether the figure may still change; nothing is closed on a provisional one.")
    final_on: date | None = about("When it became final.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    vendor: Vendor | None = to_one("Vendor", "vendor_id", "The supplier, where it is known here.")
    service: Service | None = to_one("Service", "service_id", "The service.")
    record: RecordType | None = to_one("MirrorRecord", "id", RECORD)


__all__ = ["Contract", "ServiceOffering", "SlaDefinition", "TaskSla", "Vendor", "VendorSlaResult"]
