"""What the made-up organisation has computed, paid and logged; the other half of organisation.py.

Every run has values and scores of services, teams, people and of the whole; subjects that nobody knows are among them.
Every state, kind and word that a column may hold is there. Traces have every operation and kind.
"""

from datetime import timedelta
from fractions import Fraction
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

from engine.explain import as_json
from engine.findings import Evidence, Finding, parameters
from engine.words import (
    AttributionMethod,
    AwardState,
    Feed,
    IssueCode,
    KpiStatus,
    Op,
    PayFileState,
    RaciRole,
    ScoreStatus,
    Source,
    SubjectKind,
    TraceKind,
)
from schema.identity import DEFAULT_TENANT
from schema.tables import audit, mirror, money, scores
from tests.api.graphql.generated.organisation import LINE, Organisation, person
from tests.api.graphql.generated.values import (
    BIGS,
    CURRENCIES,
    DAYS,
    DECIMALS,
    INTS,
    MINORS,
    MOMENTS,
    TEXTS,
    fresh,
    maybe,
    maybe_pointing,
    pointing,
)

METRICS = ("mttr", "sla", 'odd "metric"')
UNSEQUENCED = 4


def trace(rng: Random, kind: str, subject: UUID) -> dict[str, Any]:
    """Three levels with any operation at each; sentences are given, since not every mixture has one."""
    ops, kinds, states = list(Op), list(TraceKind), list(KpiStatus)

    def node(depth: int) -> dict[str, Any]:
        below = [node(depth - 1) for _ in range(rng.randint(0, 2))] if depth else []
        metric = rng.choice(METRICS)
        proofs = rng.choice([[("MEASURED", f"{metric}/{kind}/{subject}")], [("PLAN", "cd" * 32)], []])
        return {
            "value": rng.choice([None, "1", "2/3", "-0.5"]), "unit": "share", "kind": rng.choice(kinds).value,
            "op": rng.choice(ops).value, "params": {"weights": rng.choice(TEXTS), "b": "1"}, "label": rng.choice(TEXTS),
            "status": rng.choice(states).value, "sentence": rng.choice(TEXTS),
            "evidence": [{"kind": k, "id": i, "label": rng.choice(TEXTS)} for k, i in proofs], "because": below,
        }  # fmt: skip

    return node(2)


def measured(kind: str, subject: UUID) -> dict[str, Any]:
    """A trace as a run writes it."""
    proof = Evidence("MEASURED", f"mttr/{kind}/{subject}", "records")
    params = parameters(measured=90)
    return as_json(Finding(Fraction(90), "minutes", TraceKind.KPI_VALUE, Op.MEASURE, params, (proof,), "median"))


def subjects(made: Organisation) -> list[tuple[str, UUID]]:
    rng = made.rng
    found = [(SubjectKind.SERVICE, key) for key in made.ids(mirror.Service)[:6]]
    found += [(SubjectKind.TEAM, key) for key in made.ids(mirror.Team)[:5]]
    found += [(SubjectKind.PERSON, person(who)) for who in list(LINE)[3:]]
    found += [(kind, fresh(rng)) for kind in (SubjectKind.SERVICE, SubjectKind.TEAM, SubjectKind.PERSON)]
    found.append((SubjectKind.TENANT, DEFAULT_TENANT))
    return [(kind.value, key) for kind, key in found]


def measurements(made: Organisation) -> None:
    rng = made.rng
    for run in made.here(scores.Run):
        base = {"run_id": run["id"], "cycle_id": run["cycle_id"]}
        of = subjects(made)
        for kind, key in rng.sample(of, len(of) // 2):
            whose = {
                **base,
                "subject_kind": kind,
                "subject_id": key,
                "subject_label": rng.choice(["same", made.text()]),
            }
            for number in range(rng.choice([0, 1, 1, 2])):
                made.add(scores.KpiValue, _value(rng, whose, number))
            if rng.random() < 0.8:
                made.add(scores.Score, _score(rng, whose))
        base_split = {**base, "id": None}
        for _ in range(8):
            made.add(scores.AttributionSplit, {**base_split, **_split(made)})


def _value(rng: Random, whose: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        **whose, "id": fresh(rng), "kpi_no": rng.choice([1, 1, number, *INTS]),
        "component": rng.choice(["speed", *TEXTS]),
        "metric": rng.choice(METRICS), "unit": rng.choice(["minutes", "share", *TEXTS]),
        "numerator": maybe(rng, rng.choice(BIGS)), "denominator": maybe(rng, rng.choice(BIGS)), "n": rng.choice(INTS),
        "excluded_n": rng.choice(INTS), "status": rng.choice(list(KpiStatus)).value,
        **{name: maybe(rng, rng.choice(DECIMALS)) for name in ("value", "target", "attainment", "pays", "weight")},
        "trace": trace(rng, whose["subject_kind"], whose["subject_id"]),
    }  # fmt: skip


def _score(rng: Random, whose: dict[str, Any]) -> dict[str, Any]:
    return {
        **whose, "id": fresh(rng), "value": maybe(rng, rng.choice(DECIMALS)), "result_hash": "ab" * 32,
        "person_id": whose["subject_id"] if whose["subject_kind"] == "PERSON" else None,
        "status": rng.choice(list(ScoreStatus)).value, "data_as_of": rng.choice(MOMENTS),
        "trace": measured(whose["subject_kind"], whose["subject_id"]),
    }  # fmt: skip


def _split(made: Organisation) -> dict[str, Any]:
    rng = made.rng
    num, den = rng.choice([(1, 2), (1, 3), (0, 1), (7, 7), (2**63 - 1, 2**63 - 1), (1, 2**63 - 1), (25, 100)])
    return {
        "id": fresh(rng), "service_id": pointing(rng, made.ids(mirror.Service)),
        "person_id": pointing(rng, made.ids(mirror.Person)), "method": rng.choice(list(AttributionMethod)).value,
        "role": maybe(rng, rng.choice(list(RaciRole)).value), "share_num": num, "share_den": den,
        "share": rng.choice(DECIMALS),
    }  # fmt: skip


def records(made: Organisation) -> None:
    """Revisions, the records behind values, and what could not be read."""
    rng = made.rng
    months = [moment.date().replace(day=1) for moment in MOMENTS[:5]]
    for number in range(24):  # their ids are given by the table: 1, 2, 3, ...
        made.add(
            mirror.Revision,
            {
                "record_id": fresh(rng), "source": list(Source)[number % len(Source)].value, "entity": made.text(),
                "source_key": made.text(), "version_no": rng.choice(BIGS), "version_at": rng.choice(MOMENTS),
                "month": rng.choice(months), "payload_hash": sha256(str(number).encode()).digest(),
                "feed": list(Feed)[number % len(Feed)].value, "delivery_id": 1, "observed_at": rng.choice(MOMENTS),
            },
        )  # fmt: skip
    for value in made.here(scores.KpiValue):
        whose = {name: value[name] for name in ("run_id", "metric", "subject_kind", "subject_id")}
        for number in range(rng.randint(0, 3)):
            made.add(
                scores.KpiLineage,
                {
                    **whose, "record_id": fresh(rng), "revision_id": rng.choice([0, 99, 2**63 - 1, *range(1, 25)]),
                    "number": rng.choice([f"INC{number}", "same", made.text()]),
                    "measure": maybe(rng, rng.choice(BIGS)), "left_out": maybe(rng, made.text()), "evidence_id": None,
                },
            )  # fmt: skip
    for number in range(30):
        made.add(
            mirror.DataIssue,
            {
                "record_id": fresh(rng) if number % 3 else UUID(int=7), "field": f"f{number} {made.text()}",
                "code": list(IssueCode)[number % len(IssueCode)].value, "entity": rng.choice(["incident", made.text()]),
                "source": list(Source)[number % len(Source)].value, "source_key": rng.choice(["same", made.text()]),
                "value": made.text(), "what": made.text(), "fix": made.text(),
                "state": rng.choice(["OPEN", "RESOLVED"]), "revision_id": rng.choice(BIGS),
            },
        )  # fmt: skip


def awards(made: Organisation) -> None:
    rng = made.rng
    runs, everybody = made.here(scores.Run), made.ids(mirror.Person)
    for number, who in enumerate([*LINE, None, None]):
        for cycle in rng.sample(made.ids(scores.Cycle), rng.randint(0, 3)):
            earner = person(who) if who else fresh(rng)
            others = [each for each in everybody if each != earner]
            author, approver = rng.sample(others, 2)
            state = rng.choice(list(AwardState)).value
            undecided = state in ("SUBMITTED", "REJECTED") and rng.random() < 0.6
            run = rng.choice(runs)["id"] if rng.random() < 0.9 else fresh(rng)
            [award] = made.add(
                money.Award,
                {
                    "id": fresh(rng), "award_ref": f"AW-{number}-{len(made.rows.get(money.Award, ()))} {made.text()}",
                    "plan_key": made.text(), "cycle_id": cycle, "run_id": run, "person_id": earner, "state": state,
                    "factor": maybe(rng, rng.choice(DECIMALS)), "version": rng.choice(INTS), "submitted_by": author,
                    "submitted_at": rng.choice(MOMENTS), "approved_by": None if undecided else approver,
                    "approved_at": None if undecided else rng.choice(MOMENTS),
                },
            )  # fmt: skip
            if rng.random() < 0.8:
                amounts = {"award_id": award["id"], "person_id": earner, "currency": rng.choice(CURRENCIES)}
                paid = {"target_minor": rng.choice(MINORS), "earned_minor": rng.choice(MINORS)}
                made.add(money.AwardAmount, {**amounts, **paid, "trace": trace(rng, "PERSON", earner)})


def payouts(made: Organisation) -> None:
    rng = made.rng
    for number in range(14):
        manifest = str(number).encode()
        made.add(
            money.File,
            {
                "id": fresh(rng), "receiver": rng.choice(["payroll-de-01", "payroll \\ \"x\""]), "environment": "test",
                "sequence": rng.choice([number, 2**62 + number, -number]),
                "cycle_id": pointing(rng, made.ids(scores.Cycle)),
                "previous_manifest_sha256": f"{number:064}",
                "state": list(PayFileState)[number % len(PayFileState)].value,
                "line_count": rng.choice(INTS), "currency": rng.choice(CURRENCIES),
                "net_minor": rng.choice([*MINORS, -1, -100, -123456, -(2**63)]), "pay_date": rng.choice(DAYS),
                "csv": b"x",
                "manifest": manifest, "manifest_sha256": sha256(manifest).hexdigest(), "release_entry_id": fresh(rng),
                "prepared_by": person("finance"), "created_at": rng.choice(MOMENTS),
                "pulled_at": maybe(rng, rng.choice(MOMENTS)),
            },
        )  # fmt: skip


def log(made: Organisation) -> None:
    """Audit entries; all but the last few get a place in the log when it is sequenced."""
    rng = made.rng
    everybody = made.ids(mirror.Person)
    for number in range(26):
        leaf = f"leaf {number} {made.text()}".encode()
        made.add(
            audit.Entry,
            {
                "id": fresh(rng), "ty": rng.choice(["award.granted/v1", "payout.approved/v1", made.text()]),
                "at": rng.choice(MOMENTS) + timedelta(0), "leaf": leaf, "leaf_hash": sha256(b"\0" + leaf).digest(),
                "sealed": None, "dek_id": 1, "actor_id": maybe_pointing(rng, everybody),
                "subject_id": maybe_pointing(rng, everybody), "object_type": made.text(),
                "object_id": rng.choice([f"AW-{number}", made.text()]), "legal_hold": False,
            },
        )  # fmt: skip


PARTS = (measurements, records, awards, payouts, log)
