"""Attribution: shares follow the agreed rule and sum to exactly 1, always (F-12)."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attribution import Group, compose, split_service
from engine.facts import ServiceFacts
from engine.refusal import Code, Refused
from engine.terms import SplitRule
from engine.words import AttributionMethod, RaciRole

WEIGHTS = {
    RaciRole.ACCOUNTABLE: Fraction("0.5"),
    RaciRole.RESPONSIBLE: Fraction("0.4"),
    RaciRole.CONSULTED: Fraction("0.1"),
}
RACI = SplitRule(AttributionMethod.RACI, roles=WEIGHTS)
A, R, C, I = RaciRole  # noqa: E741 - the letters of RACI


def shares(rule: SplitRule, raci: dict[RaciRole, tuple[str, ...]], **teams: tuple[str, ...]) -> dict[str, Fraction]:
    splits = split_service(ServiceFacts("s", "Shop", None, None, raci, teams), rule)
    return {split.person_id: split.share for split in splits}


@pytest.mark.capability("I2.6")
def test_raci_weights_are_shared_inside_a_role() -> None:
    found = shares(RACI, {A: ("ada",), R: ("bo", "cy"), C: ("di",), I: ("ed",)})
    assert found == {
        "ada": Fraction("0.5"),
        "bo": Fraction("0.2"),
        "cy": Fraction("0.2"),
        "di": Fraction("0.1"),
    }


def test_the_weight_of_a_role_that_nobody_holds_goes_to_the_others_in_proportion() -> None:
    assert shares(RACI, {A: ("ada",), R: ("bo",)}) == {"ada": Fraction(5, 9), "bo": Fraction(4, 9)}
    assert shares(RACI, {C: ("di", "ed")}) == {"di": Fraction(1, 2), "ed": Fraction(1, 2)}


def test_a_person_in_several_roles_adds_up_and_shows_the_strongest() -> None:
    service = ServiceFacts("s", "Shop", None, None, {C: ("ada", "bo"), R: ("ada",), A: ("cy",)})
    ada = split_service(service, RACI)[0]
    assert (ada.person_id, ada.share, ada.role) == ("ada", Fraction("0.45"), R)
    assert [node.value for node in ada.finding.inputs] == [Fraction("0.4"), Fraction("0.05")]


def test_fixed_team_shares_go_to_their_members() -> None:
    rule = SplitRule(AttributionMethod.FIXED, teams={"North": Fraction("0.6"), "South": Fraction("0.4")})
    found = shares(rule, {}, North=("ada", "bo", "cy"), South=("cy",), East=("di",))
    assert found == {"ada": Fraction("0.2"), "bo": Fraction("0.2"), "cy": Fraction("0.6")}


def test_equal_shares_leave_out_who_is_only_informed() -> None:
    rule = SplitRule(AttributionMethod.EQUAL)
    found = shares(rule, {A: ("ada",), R: ("ada", "bo"), I: ("ed",)}, North=("di",))
    assert found == {"ada": Fraction(1, 2), "bo": Fraction(1, 2)}


@pytest.mark.parametrize("raci", [{}, {I: ("ed",)}, {A: ()}])
def test_a_service_without_anybody_is_refused(raci: dict[RaciRole, tuple[str, ...]]) -> None:
    with pytest.raises(Refused) as refusal:
        shares(RACI, raci)
    assert refusal.value.code is Code.RACI_INVALID


def test_a_fixed_team_without_members_is_refused_not_spread() -> None:
    rule = SplitRule(AttributionMethod.FIXED, teams={"North": Fraction("0.6"), "South": Fraction("0.4")})
    with pytest.raises(Refused) as refusal:
        shares(rule, {}, North=("ada",))
    assert refusal.value.code is Code.SPLIT_NOT_ONE
    assert "South" in refusal.value.what


_PEOPLE = st.lists(st.sampled_from("abcdefgh"), max_size=6).map(tuple)


@pytest.mark.capability("I2.6")
@given(
    st.dictionaries(st.sampled_from([A, R, C]), _PEOPLE.filter(bool), min_size=1),
    st.lists(st.integers(1, 1000), min_size=3, max_size=3),
)
def test_every_raci_split_sums_to_exactly_one(raci: dict[RaciRole, tuple[str, ...]], parts: list[int]) -> None:
    roles = {role: Fraction(part, sum(parts)) for role, part in zip((A, R, C), parts, strict=True)}
    found = shares(SplitRule(AttributionMethod.RACI, roles=roles), raci)
    assert sum(found.values()) == 1
    assert set(found) == {person for people in raci.values() for person in people}


@given(st.lists(st.tuples(st.fractions(0, 5), _PEOPLE), min_size=1, max_size=5))
def test_groups_compose_to_one_or_to_nobody(groups: list[tuple[Fraction, tuple[str, ...]]]) -> None:
    parts = compose([Group("g", weight, tuple(sorted(set(people)))) for weight, people in groups])
    total = sum(share for own in parts.values() for _, _, share in own)
    assert total == (1 if any(weight and people for weight, people in groups) else 0)
