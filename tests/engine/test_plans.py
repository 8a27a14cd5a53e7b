"""Plans: what a good one says, and that every bad one is refused at the exact place."""

from fractions import Fraction
from pathlib import Path

import pytest

from engine.documents import read_document
from engine.plans import read_plan
from engine.refusal import Code, Refused
from engine.words import AttributionMethod, RaciRole, RootCause, SubjectKind, WhenMissing
from tests.engine.small_company import PLAN

SANDBOX = Path(__file__).parents[2] / "connectors" / "sandbox"


def changed(*changes: tuple[str, str]) -> str:
    text = PLAN
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def test_a_plan_says_what_was_written() -> None:
    plan = read_plan(PLAN)
    restore, keep, change = plan.components
    assert (plan.key, plan.version, plan.currency, plan.cap) == ("small-plan", 1, "EUR", Fraction("1.4"))
    assert restore.weight + keep.weight + change.weight == 1
    assert restore.excluded_causes == {RootCause.VENDOR, RootCause.CYBERATTACK}
    assert (keep.tolerance.band, keep.tolerance.record_minutes) == (Fraction("0.02"), 5)
    assert (restore.when_missing, keep.when_missing) == (WhenMissing.REDISTRIBUTE, WhenMissing.TARGET)
    assert restore.curve.points == ((Fraction("0.5"), 0), (1, 1), (Fraction("1.5"), Fraction("1.5")))
    assert plan.calendar.week[0] == ((9 * 3600, 12 * 3600), (13 * 3600, 17 * 3600))
    assert plan.attribution is not None
    assert plan.attribution.rule("Beta").teams == {"North": Fraction("0.6"), "South": Fraction("0.4")}
    assert plan.attribution.rule("Alpha").roles[RaciRole.CONSULTED] == Fraction("0.1")
    assert plan.attribution.rule("Gamma").method is AttributionMethod.EQUAL
    assert plan.pool is not None
    assert plan.pool.criticality == {"high": Fraction("1.5"), "low": Fraction("0.5")}
    assert plan.metrics[-1] == "reopen_rate"


@pytest.mark.parametrize("name", ["plan", "log_plan"])
def test_the_plans_of_the_sandbox_are_good(name: str) -> None:
    plan = read_plan((SANDBOX / f"{name}.yaml").read_text())
    assert sum(component.weight for component in plan.components) == 1
    assert (plan.pool is None) == (plan.subject_kind is SubjectKind.TEAM)


def test_spelling_comments_and_defaults_do_not_change_the_hash() -> None:
    same = changed(
        ("weight: 0.4\n", "weight: 0.400   # agreed in March\n"),
        ("    when_missing: REDISTRIBUTE\n", ""),
        ("exclude: [VENDOR, CYBERATTACK]", "exclude: [CYBERATTACK, VENDOR]"),
        (", forgive_chance: false", ""),
        ("composite: ARITHMETIC\n", ""),
        ("{North: 0.6, South: 0.4}", "{South: '0.40', North: 0.6}"),
    )
    assert read_plan(same).content_hash == read_plan(PLAN).content_hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: 2"),
        ("target: 480", "target: 480.001"),
        ("min_n: 10", "min_n: 11"),
        ("[1.1, 2]", "[1.1, 2.1]"),
        ("cap: 1.4\n", ""),
        ("North: 0.6, South: 0.4", "North: 0.5, South: 0.5"),
        ("amount_minor: 10000001", "amount_minor: 10000002"),
        ("The manager.", "The owner."),
        ("2025-01-06", "2025-01-07"),
        ("reported: [reopen_rate]\n", ""),
    ],
)
def test_every_agreed_thing_changes_the_hash(old: str, new: str) -> None:
    assert read_plan(changed((old, new))).content_hash != read_plan(PLAN).content_hash


BAD = [
    ("weight: 0.25", "weight: 0.2501", Code.WEIGHTS_NOT_100, "components"),
    ("weight: 0.25", "weight: 0", Code.PLAN_INVALID, "components.2.weight"),
    ("weight: 0.25", "weight: -0.25", Code.PLAN_INVALID, "components.2.weight"),
    ("weight: 0.25", "weight: 2.5e-1", Code.PLAN_INVALID, "components.2.weight"),
    ("weight: 0.25", "weight: .nan", Code.PLAN_INVALID, "components.2.weight"),
    ("[[0.5, 0], [1, 1], [1.5, 1.5]]", "[[1, 1], [0.5, 0]]", Code.CURVE_INVALID, "components.0.curve.points"),
    ("[[0.5, 0], [1, 1], [1.5, 1.5]]", "[[0.5, 1], [1, 0.9]]", Code.CURVE_INVALID, "components.0.curve.points"),
    ("[[0.5, 0], [1, 1], [1.5, 1.5]]", "[[0.5, 1, 2], [1, 3]]", Code.CURVE_INVALID, "components.0.curve.points.0"),
    ("[[0.5, 0], [1, 1], [1.5, 1.5]]", "[[0.5, 1]]", Code.CURVE_INVALID, "components.0.curve.points"),
    ("kind: STEP", "kind: on", Code.PLAN_INVALID, "components.2.curve.kind"),
    ("metric: sla_attainment", "metric: mood", Code.PLAN_INVALID, "components.1.metric"),
    (
        "metric: sla_attainment",
        "metric: change_success_rate",
        Code.PLAN_INVALID,
        "components.1.tolerance.record_minutes",
    ),
    ("key: keep", "key: restore", Code.PLAN_INVALID, "components.1.key"),
    ("key: keep", "key: Keep", Code.PLAN_INVALID, "components.1.key"),
    ("target: 0.9", "target: 90", Code.PLAN_INVALID, "components.1.target"),
    ("target: 480", "target: 0", Code.PLAN_INVALID, "components.0.target"),
    ("min_n: 10", "min_n: 0", Code.PLAN_INVALID, "components.0.min_n"),
    ("min_n: 10", "min_m: 10", Code.PLAN_INVALID, "components.0.min_m"),
    ("    target: 480\n", "", Code.PLAN_INVALID, "components.0.target"),
    ("target: 480", "target: 480\n    target: 481", Code.PLAN_INVALID, ""),
    ("band: 0.02", "band: 0.11", Code.TOLERANCE_TOO_WIDE, "components.1.tolerance.band"),
    ("forgive_chance: false", "forgive_chance: no", Code.PLAN_INVALID, "components.1.tolerance.forgive_chance"),
    ("when_missing: TARGET", "when_missing: NULL", Code.PLAN_INVALID, "components.1.when_missing"),
    ("[VENDOR, CYBERATTACK]", "[VENDOR, VENDOR]", Code.PLAN_INVALID, "components.0.exclude.1"),
    ("[VENDOR, CYBERATTACK]", "[WEATHER]", Code.PLAN_INVALID, "components.0.exclude.0"),
    ("reported: [reopen_rate]", "reported: [sla_attainment]", Code.PLAN_INVALID, "reported.0"),
    ("composite: ARITHMETIC", "composite: AVERAGE", Code.PLAN_INVALID, "composite"),
    ("cap: 1.4", "cap: 0", Code.PLAN_INVALID, "cap"),
    ("currency: EUR", "currency: EURO", Code.PLAN_INVALID, "currency"),
    ("currency: EUR\n", "", Code.PLAN_INVALID, "currency"),
    ("subject: SERVICE", "subject: TEAM", Code.PLAN_INVALID, "attribution"),
    ("subject: SERVICE", "subject: PERSON", Code.PLAN_INVALID, "subject"),
    ("ends_before: 2026-01-01", "ends_before: 2025-01-01", Code.PLAN_INVALID, "cycle.ends_before"),
    ("ends_before: 2026-01-01", "ends_before: 2026-02-30", Code.PLAN_INVALID, "cycle.ends_before"),
    ("time_zone: Europe/Berlin", "time_zone: Berlin", Code.PLAN_INVALID, "calendar.time_zone"),
    ("09:00-14:00", "14:00-09:00", Code.PLAN_INVALID, "calendar.hours"),
    ("FRIDAY:", "FREITAG:", Code.PLAN_INVALID, "calendar.hours.FREITAG"),
    ("North: 0.6", "North: 0.5", Code.SPLIT_NOT_ONE, "attribution.services.Beta.teams"),
    ("CONSULTED: 0.1", "CONSULTED: 0.2", Code.SPLIT_NOT_ONE, "attribution.default.weights"),
    ("CONSULTED: 0.1", "HELPER: 0.1", Code.PLAN_INVALID, "attribution.default.weights.HELPER"),
    ("{method: EQUAL}", "{method: EQUAL, teams: {}}", Code.PLAN_INVALID, "attribution.services.Gamma.teams"),
    ("{method: EQUAL}", "{method: SHAPLEY}", Code.PLAN_INVALID, "attribution.services.Gamma.method"),
    (
        "budget: 1, criticality: 1, headcount: 0",
        "budget: 0, criticality: 0, headcount: 1",
        Code.HEADCOUNT_ONLY_FORBIDDEN,
        "pool.exponents",
    ),
    ("criticality: 1,", "criticality: 0.5,", Code.PLAN_INVALID, "pool.exponents.criticality"),
    ("criticality: 1,", "criticality: 9,", Code.PLAN_INVALID, "pool.exponents.criticality"),
    ("amount_minor: 10000001", "amount_minor: 100000.01", Code.PLAN_INVALID, "pool.amount_minor"),
    ("amount_minor: 10000001", "amount_minor: 0", Code.PLAN_INVALID, "pool.amount_minor"),
    (
        "amount_minor: 10000001",
        "amount_minor: 1\n  min_share: 0.6\n  max_share: 0.5",
        Code.BUDGET_INFEASIBLE,
        "pool.max_share",
    ),
    ("Alpha: 120000", "Alpha: -1", Code.PLAN_INVALID, "pool.budgets_minor.Alpha"),
    ("title: A small plan", "title: [a, list]", Code.PLAN_INVALID, "title"),
    ("title: A small plan", "title: !!python/name:os.system x", Code.PLAN_INVALID, ""),
    ("title: A small plan", "title: *small", Code.PLAN_INVALID, ""),
    ("title: A small plan", 'title: "\\0"', Code.PLAN_INVALID, "title"),
    ("version: 1", "version: 1\non: yes", Code.PLAN_INVALID, "on"),
    ("version: 1", "version: [", Code.PLAN_INVALID, ""),
]


@pytest.mark.parametrize(("old", "new", "code", "place"), BAD)
def test_a_bad_plan_is_refused_at_the_exact_place(old: str, new: str, code: Code, place: str) -> None:
    with pytest.raises(Refused) as refusal:
        read_plan(changed((old, new)))
    assert (refusal.value.code, ".".join(refusal.value.field)) == (code, place)
    assert refusal.value.what
    assert refusal.value.fix


def test_wrong_weights_are_named_with_their_sum() -> None:
    with pytest.raises(Refused, match=r"sum to 1\.0001, not 1 \(0\.4 \+ 0\.35 \+ 0\.2501\)"):
        read_plan(changed(("weight: 0.25", "weight: 0.2501")))


@pytest.mark.parametrize("text", ["", "- a list", "just text", "a: 1\n---\nb: 2", "[" * 5000, "\x00", "x" * 300_000])
def test_what_is_no_plan_at_all_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        read_plan(text)
    assert refusal.value.code is Code.PLAN_INVALID


def test_scalars_stay_text() -> None:
    tree = read_document("on: yes\nat: 09:00\nnothing: null\nnumber: 0x10\nwhole: 010\n").node
    assert tree == {"on": "yes", "at": "09:00", "nothing": "null", "number": "0x10", "whole": "010"}
