"""From a score that the viewer may see to a card and to the HTML that shows it, with the same numbers as a table."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from html import escape
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.embed.card import Card, Line, draw, measured, percent, said
from engine.refusal import Code, Refused
from engine.words import KpiStatus, ScoreStatus

LINES_MAX = 8
ON_TARGET = Decimal(1)
ACRONYMS = frozenset({"cab", "csat", "kpi", "mttr", "ola", "sla"})
SCORE = text(
    """select s.*, c.label as cycle_label from score.score s
         join score.cycle c on c.tenant_id = s.tenant_id and c.id = s.cycle_id where s.id = :id"""
)
LINES = text(
    """select * from score.kpi_value where run_id = :run_id and subject_kind = :kind and subject_id = :subject
          and weight > 0 order by kpi_no, id limit :most"""
)

# A score without lines of its own is a person's: it comes from the services he stands for, largest share first.
SERVICES = text(
    """select v.subject_label, v.value, a.share from score.attribution_split a
         join score.score v on v.tenant_id = a.tenant_id and v.run_id = a.run_id and v.subject_kind = 'SERVICE'
          and v.subject_id = a.service_id
        where a.run_id = :run_id and a.person_id = :subject order by a.share desc, v.subject_label, v.id limit :most"""
)


async def visible(connection: AsyncConnection, score_id: UUID) -> bool:
    return (await connection.execute(SCORE, {"id": score_id})).first() is not None


async def card_of(connection: AsyncConnection, score_id: UUID) -> Card:
    """The card of a score; NOT_FOUND where the viewer of this transaction may not see it."""
    score = (await connection.execute(SCORE, {"id": score_id})).first()
    if score is None:
        raise Refused(Code.NOT_FOUND, "There is no such score.", "Ask for a score that you may see.")
    where = {"run_id": score.run_id, "kind": score.subject_kind, "subject": score.subject_id, "most": LINES_MAX}
    lines = [_line(row) for row in (await connection.execute(LINES, where)).all()]
    if not lines:
        lines = [_service(row) for row in (await connection.execute(SERVICES, where)).all()]
    return Card(
        title=score.subject_label,
        cycle=score.cycle_label,
        score=score.value,
        status=ScoreStatus(score.status),
        lines=lines,
        as_of=score.data_as_of,
        result_hash=score.result_hash,
    )


def _line(row: Any) -> Line:
    return Line(
        label=label(row.component),
        value=row.value,
        unit=row.unit,
        target=row.target,
        attainment=row.attainment,
        pays=row.pays,
        weight=row.weight,
        status=KpiStatus(row.status),
        threshold=threshold(row.trace),
    )


def _service(row: Any) -> Line:
    """A service's score against being on target, and the person's share of it."""
    return Line(
        label=row.subject_label,
        value=row.value,
        unit="share",
        target=ON_TARGET,
        attainment=row.value,
        pays=row.value,
        weight=row.share,
        status=KpiStatus.OK if row.value is not None else KpiStatus.NO_DATA,
        threshold=None,
    )


def label(component: str) -> str:
    """The component's key as a heading."""
    words = component.replace("_", " ").replace("-", " ").split()
    spelled = [word.upper() if word.lower() in ACRONYMS else word for word in words]
    return " ".join([*(word[:1].upper() + word[1:] for word in spelled[:1]), *spelled[1:]])


def threshold(trace: Mapping[str, Any]) -> Decimal | None:
    """Where payment begins: the first point of the curve in the trace; None when there is no curve."""
    waiting = [trace]
    while waiting:
        node = waiting.pop()
        points = str(node["params"].get("points", "")).split()
        if node["kind"] == "CURVE" and points:
            first = Fraction(points[0])
            return Decimal(first.numerator) / Decimal(first.denominator)
        waiting.extend(node["because"])
    return None


def fragment(card: Card) -> str:
    """The picture and its numbers as a piece of HTML."""
    rows = "".join(
        f'<tr><th scope="row">{escape(line.label)}</th><td>{escape(_value(line))}</td><td>{escape(_target(line))}</td>'
        f"<td>{escape(percent(line.attainment))}</td><td>{escape(percent(line.pays))}</td>"
        f"<td>{escape(percent(line.weight))}</td></tr>"
        for line in card.lines
    )
    heads = "".join(
        f'<th scope="col">{name}</th>' for name in ("Component", "Value", "Target", "Attainment", "Pays", "Weight")
    )
    return (
        f"<figure>{draw(card)}</figure><details><summary>The same numbers as a table</summary>"
        f"<table><caption>{escape(card.title)}, cycle {escape(card.cycle)}: {escape(percent(card.score))}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _value(line: Line) -> str:
    return said(line) if line.value is None else measured(line.value, line.unit)


def _target(line: Line) -> str:
    return "none" if line.target is None else measured(line.target, line.unit)
