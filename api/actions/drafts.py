"""The next payout file as it would be: which awards are due, in which lines, under which number.

It follows from the database alone: the same rows give the same bytes and the same file id, so two people approve one
thing, and a restart finds what was approved before. Amounts are minor units, of one currency a file: what is due in
another one makes the next file. Refuses awards whose beneficiary payroll could not find, and two accounts that earn
under one employee number: payroll would pay one person twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from uuid import UUID, uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.money import CURRENCY_DIGITS
from engine.payfile import FIRST_IN_CHAIN, PayLine, csv_bytes
from engine.refusal import Code, Refused
from engine.words import PayLineKind
from schema.identity import NAMESPACE
from schema.store import Viewer

PAY_AFTER = timedelta(days=9)

PAYABLE = text(
    """with shared as (
         select p.employee_number from pay.award a
           join mirror.person p on p.tenant_id = a.tenant_id and p.id = a.person_id
          where a.tenant_id = :tenant and a.cycle_id = :cycle_id and a.state not in ('SUBMITTED', 'REJECTED')
          group by p.employee_number having count(distinct a.person_id) > 1)
       select a.award_ref, a.person_id, a.submitted_by, p.employee_number, m.currency, m.earned_minor,
              s.employee_number is not null as shared
         from pay.award a
         join pay.award_amount m on m.tenant_id = a.tenant_id and m.award_id = a.id
         left join mirror.person p on p.tenant_id = a.tenant_id and p.id = a.person_id
         left join shared s on s.employee_number = p.employee_number
        where a.tenant_id = :tenant and a.cycle_id = :cycle_id and a.state = 'APPROVED' and m.earned_minor > 0
          and not exists (select from pay.line l where l.tenant_id = a.tenant_id and l.award_ref = a.award_ref
                          and l.state in ('open', 'paid'))
        order by a.award_ref"""
)
CYCLE = text("select starts_on, ends_before from score.cycle where tenant_id = :tenant and id = :cycle_id")
LAST_FILE = text(
    """select sequence, manifest_sha256 from pay.file
        where tenant_id = :tenant and receiver = :receiver and environment = :environment
        order by sequence desc limit 1"""
)
LAST_LINE = text("select coalesce(max(substr(line_id, 2)::bigint), 0) from pay.line where tenant_id = :tenant")


@dataclass(frozen=True, slots=True)
class Receiver:
    """A payroll system and how it names things."""

    name: str = "payroll-de-01"
    company_code: str = "C01"
    earning_code: str = "INC"


RECEIVERS: Mapping[str, Receiver] = {each.name: each for each in (Receiver(),)}


def receiver_called(name: str) -> Receiver:
    if name not in RECEIVERS:
        raise Refused(
            Code.BAD_INPUT, "There is no such receiver.", f"There are: {', '.join(sorted(RECEIVERS))}.", ("receiver",)
        )
    return RECEIVERS[name]


@dataclass(frozen=True, slots=True)
class Draft:
    """The next file as it would be: its lines, bytes and place in the chain. Its id names exactly these bytes."""

    receiver: Receiver
    environment: str
    sequence: int
    previous_manifest_sha256: str
    cycle_id: UUID
    period: tuple[date, date]
    pay_date: date
    lines: tuple[PayLine, ...]
    person_of: Mapping[str, UUID]  # by award_ref
    submitters: frozenset[UUID]
    csv: bytes

    @property
    def file_id(self) -> UUID:
        digest = sha256(self.csv).hexdigest()
        return uuid5(NAMESPACE, f"file:{self.receiver.name}:{self.environment}:{self.sequence}:{digest}")

    @property
    def net_minor(self) -> dict[str, int]:
        sums: dict[str, int] = {}
        for line in self.lines:
            sums[line.currency] = sums.get(line.currency, 0) + line.amount_minor
        return sums


async def draft(
    connection: AsyncConnection, viewer: Viewer, cycle_id: UUID, receiver: Receiver, environment: str
) -> Draft | None:
    """The file that the approved and unpaid awards of this cycle make; None when there is nothing to pay."""
    scope = {"tenant": viewer.tenant_id, "cycle_id": cycle_id}
    due = (await connection.execute(PAYABLE, scope)).all()
    if not due:
        return None
    payable = [award for award in due if award.currency == due[0].currency]
    period = (await connection.execute(CYCLE, scope)).one()
    last = (
        await connection.execute(
            LAST_FILE, {"tenant": viewer.tenant_id, "receiver": receiver.name, "environment": environment}
        )
    ).first()
    first_line = (await connection.execute(LAST_LINE, {"tenant": viewer.tenant_id})).scalar_one() + 1
    pay_date = period.ends_before + PAY_AFTER
    lines = []
    for number, award in enumerate(payable, start=first_line):
        if not award.employee_number:
            raise Refused(
                Code.BAD_INPUT,
                f"The beneficiary of {award.award_ref} has no employee number.",
                "Add it in the tool that people are mirrored from, and sync.",
            )
        if award.shared:
            raise Refused(
                Code.BAD_INPUT,
                f"The beneficiary of {award.award_ref} has another account that earns under the same employee number.",
                "Correct the number in the tool that people are mirrored from, and sync.",
            )
        lines.append(
            PayLine(
                line_id=f"L{number:06}",
                employee_id=award.employee_number,
                company_code=receiver.company_code,
                earning_code=receiver.earning_code,
                amount_minor=award.earned_minor,
                currency=award.currency,
                effective_date=pay_date,
                cost_center="",
                award_ref=award.award_ref,
                part_no=1,
                kind=PayLineKind.PAYOUT,
            )
        )
    return Draft(
        receiver=receiver,
        environment=environment,
        sequence=last.sequence + 1 if last else 1,
        previous_manifest_sha256=last.manifest_sha256 if last else FIRST_IN_CHAIN,
        cycle_id=cycle_id,
        period=(period.starts_on, period.ends_before - timedelta(days=1)),
        pay_date=pay_date,
        lines=tuple(lines),
        person_of={award.award_ref: award.person_id for award in payable},
        submitters=frozenset(award.submitted_by for award in payable),
        csv=csv_bytes(lines, CURRENCY_DIGITS),
    )
