"""Suppliers: contracts with them, what of a service they carry, and the results that they or the tool report."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index

from engine.words import Finality
from schema.tables.columns import big, shown, words
from schema.tables.revisions import SCHEMA, Mirrored


class Contract(Mirrored, table=True):
    """An agreement with a supplier. `vendor_reference` is the supplier's own number of it."""

    __tablename__ = "contract"
    __table_args__ = (Index("contract_number", "tenant_id", "number", "id"), SCHEMA)
    number: str
    name: str | None = None
    vendor_id: UUID | None = None
    vendor_reference: str | None = None
    source_state: str | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    active: bool | None = None


class ServiceOffering(Mirrored, table=True):
    """A business service as it is offered, with the contract behind it."""

    __tablename__ = "service_offering"
    __table_args__ = (SCHEMA,)
    name: str
    service_id: UUID | None = None
    contract_id: UUID | None = None
    vendor_id: UUID | None = None


class VendorSlaResult(Mirrored, table=True):
    """How a supplier met one agreement in one period: `met` of `total`, or a share where only that is told.

    PROVISIONAL until the supplier says FINAL; nothing is closed on a provisional figure without a dated rule.
    """

    __tablename__ = "vendor_sla_result"
    __table_args__ = (
        words("status", Finality),
        CheckConstraint("met between 0 and total", name="met_range"),
        CheckConstraint("attainment between 0 and 1", name="attainment_range"),
        Index("vendor_sla_result_vendor", "tenant_id", "vendor_id", "period_starts_on"),
        SCHEMA,
    )
    vendor_id: UUID | None = None
    vendor_name: str | None = None
    agreement: str | None = None
    service_id: UUID | None = None
    metric: str | None = None
    period_starts_on: date | None = None
    period_ends_on: date | None = None  # the first day after it
    met: int | None = big(None)
    total: int | None = big(None)
    attainment: Decimal | None = shown()
    status: str | None = None
    final_on: date | None = None
