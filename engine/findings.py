"""A number that says why: the node of every trace.

A Finding holds a value, how it follows (`op` with `params`) and what from (`because`). Values are exact: Fractions, or
integers for money (minor units) and counts; None is unknown. Everything that is needed to compute a node again stands
in the node and in the values of its direct inputs (engine/explain.py does it). Evidence is where a trace leaves the
engine: a measured value, whose records the mirror keeps, or a version of a plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from engine.canonical import fraction_text
from engine.words import KpiStatus, Op, TraceKind

Number = Fraction | int

SHARE = "share"
MINUTES = "minutes"
FACTOR = "factor"
RECORDS = "records"
WEIGHT = "weight"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A thing outside the engine. `kind` is MEASURED (id `metric/subject kind/subject id`) or PLAN (id: its hash)."""

    kind: str
    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One computed number. `params` stand in the order of their names; `label` names the number for a reader."""

    value: Number | None
    unit: str
    kind: TraceKind
    op: Op
    params: tuple[tuple[str, str], ...]
    because: tuple["Finding | Evidence", ...]
    label: str
    status: KpiStatus = KpiStatus.OK

    def param(self, name: str) -> str | None:
        return next((text for key, text in self.params if key == name), None)

    @property
    def inputs(self) -> tuple["Finding", ...]:
        return tuple(cause for cause in self.because if isinstance(cause, Finding))

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return tuple(cause for cause in self.because if isinstance(cause, Evidence))


def constant(value: Number, unit: str, label: str, *because: Finding | Evidence) -> Finding:
    """A number that somebody agreed on: a target, a weight, an amount."""
    params = (("value", number_text(value)),)
    return Finding(value, unit, TraceKind.TERM, Op.CONSTANT, params, because, label)


def money_unit(currency: str) -> str:
    """Unit of an amount in minor units of this currency."""
    return f"minor {currency}"


def parameters(**texts: str | Number) -> tuple[tuple[str, str], ...]:
    """Params in the order of their names, numbers as exact text."""
    return tuple(sorted((name, text if isinstance(text, str) else number_text(text)) for name, text in texts.items()))


def number_text(value: Number) -> str:
    return fraction_text(Fraction(value))


def walk(finding: Finding) -> Iterator[Finding]:
    """This node and everything below it; a node that is reached twice comes once."""
    seen: set[int] = set()
    waiting = [finding]
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting.extend(node.inputs)
