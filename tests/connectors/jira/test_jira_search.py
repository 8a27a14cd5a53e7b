"""Search finds everything once, in either edition, whatever the page size, the zone and the edits meanwhile."""

import dataclasses
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from connectors.governor import Governor, Purpose
from connectors.jira import search as searching
from connectors.jira.calls import QueryRefused, ResourceGone
from connectors.jira.pull import poll, refetch, scope
from connectors.jira.search import Question, by_the_minute, search
from connectors.jira.site import JiraConfig, connect
from connectors.jira.sweep import sweep
from connectors.jira.times import EPOCH
from connectors.limits import jira_scopes
from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_state import CLOUD, DATA_CENTER, Fault, JiraState
from connectors.sandbox.jira_troubles import trouble
from connectors.source import SourceUnavailable


def found(config: JiraConfig, since: datetime | None = None, size: int = 100) -> list[str]:
    """Ids in the order in which pages give them."""
    with connect(config) as site:
        question = Question(scope(config), ("created", "updated"), since, size)
        return [issue["id"] for page in search(site, question) for issue in page.issues]


def ms(value: Any) -> datetime:
    return EPOCH + timedelta(milliseconds=int(value))


@pytest.mark.capability("I7.1")
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_every_issue_is_found_once_whatever_the_page_size(
    small_config: JiraConfig, small: JiraState, size: int
) -> None:
    assert sorted(found(small_config, size=size)) == sorted(small.issues)


def test_issues_created_in_one_moment_are_all_found_though_a_page_cannot_hold_them(
    small_config: JiraConfig, small: JiraState
) -> None:
    tied = list(small.issues.values())[3:15]
    for issue in tied:
        issue.values["created"] = tied[0].values["created"]
    assert sorted(found(small_config, size=5)) == sorted(small.issues)


@pytest.mark.parametrize("profile", [DATA_CENTER])
def test_no_offset_ever_leaves_the_window_of_data_center(small_config: JiraConfig, small: JiraState) -> None:
    small.troubles.append(trouble({"name": "row_cap", "params": {"rows": 10, "how": "refused"}}))
    assert sorted(found(small_config, size=4)) == sorted(small.issues)


@pytest.mark.parametrize("profile", [DATA_CENTER])
def test_more_issues_of_one_moment_than_the_window_holds_are_an_error(
    small_config: JiraConfig, small: JiraState, monkeypatch: pytest.MonkeyPatch
) -> None:
    for issue in small.issues.values():
        issue.values["created"] = small.now_ms - 1000
    monkeypatch.setattr(searching, "WINDOW", 10)
    with pytest.raises(SourceUnavailable, match="within one moment"):
        found(small_config, size=4)
    monkeypatch.undo()
    small.troubles.append(trouble({"name": "row_cap", "params": {"rows": 10}}))  # the window shows nothing beyond it
    with pytest.raises(SourceUnavailable, match="counts 25 issues but shows none from 10 on"):
        found(small_config, size=4)


def test_edits_and_births_while_we_read_hide_nobody(small_config: JiraConfig, small: JiraState) -> None:
    before = set(small.issues)
    orders = [{"op": "edit", "key": key, "fields": {"summary": "Said again"}} for key in sorted(before)[:6]]
    small.troubles.append(
        trouble({"name": "edit_during_paging", "times": 3, "params": {"acts": [*orders, {"op": "create"}]}})
    )
    assert set(found(small_config, size=4)) >= before
    assert len(small.issues) == len(before) + 3


@pytest.mark.parametrize("profile", [DATA_CENTER])
def test_a_deletion_while_we_read_shifts_nobody_out_of_sight(small_config: JiraConfig, small: JiraState) -> None:
    first, *others = sorted(small.issues)
    order = {"op": "delete", "key": first}
    small.troubles.append(trouble({"name": "edit_during_paging", "times": 1, "params": {"acts": [order]}}))
    assert set(found(small_config, size=4)) >= set(others)


@pytest.mark.parametrize("zone", [-600, 0, 780, "Pacific/Honolulu", "Pacific/Tongatapu", "Europe/Berlin"])
@pytest.mark.parametrize("refused", [False, True])
def test_no_zone_of_the_account_moves_a_bound(
    small_config: JiraConfig, small: JiraState, zone: int | str, refused: bool
) -> None:
    small.troubles.append(trouble({"name": "account_zone", "params": {"zone": zone}}))
    stamps = sorted(int(issue.values["updated"]) for issue in small.issues.values())
    bound = stamps[-8]
    assert len(set(stamps[-9:-7])) == 2
    expected = {i.issue_id for i in small.issues.values() if i.values["updated"] >= bound}
    if refused:  # a site that takes no moments as numbers
        small.faults.append(Fault(re.compile(r"/rest/api/\d/search"), 400, 1))
    assert set(found(small_config, ms(bound))) == expected
    assert refused == any("myself" in place for place in small.log)


def test_a_site_that_refuses_numbers_is_asked_in_words_to_the_end(small_config: JiraConfig, small: JiraState) -> None:
    small.faults.append(Fault(re.compile(r"/rest/api/\d/search"), 400, 1))
    small.log.clear()
    assert sorted(found(small_config, EPOCH, size=4)) == sorted(small.issues)
    assert sum("myself" in place for place in small.log) == 1


def test_a_refusal_that_is_not_about_the_bounds_stays_one(small_config: JiraConfig, small: JiraState) -> None:
    small.faults.append(Fault(re.compile(r"/rest/api/\d/search"), 400, 9, {}, b'{"errorMessages":["no such field"]}'))
    with pytest.raises(QueryRefused, match="no such field"):
        found(small_config, EPOCH)


def test_the_hour_that_clocks_repeat_begins_before_its_first_pass() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first, second = (datetime(2025, 10, 26, hour, 30, 59, tzinfo=UTC) for hour in (0, 1))
    assert first.astimezone(berlin).hour == second.astimezone(berlin).hour == 2
    for at in (first, second):
        text = by_the_minute(berlin, "updated", at)
        told = datetime.fromisoformat(text.split('"')[1])
        for fold in (0, 1):  # whichever of the two the site means
            assert told.replace(tzinfo=berlin, fold=fold).astimezone(UTC) <= at
    plain = by_the_minute(berlin, "updated", datetime(2025, 7, 1, 12, 0, 59, tzinfo=UTC))
    assert plain == 'updated >= "2025-07-01 14:00"'


def test_what_a_site_gives_beyond_the_bound_is_dropped(small_config: JiraConfig, small: JiraState) -> None:
    minute = small.now_ms - small.now_ms % 60_000
    small.issues["20001"].values["updated"] = minute + 30_000
    small.issues["20002"].values["updated"] = minute + 29_999
    small.faults.append(Fault(re.compile(r"/rest/api/\d/search"), 400, 1))  # so it is asked by the minute
    assert "20002" not in found(small_config, ms(minute + 30_000))
    assert {"20001", "20002"} <= set(found(small_config, ms(minute)))


@pytest.mark.parametrize("profile", [CLOUD])
def test_fewer_issues_than_asked_for_and_no_word_of_the_last_page_lose_nothing(
    small_config: JiraConfig, small: JiraState
) -> None:
    small.troubles.append(trouble({"name": "fewer_items", "params": {"most": 2, "omit_last": True}}))
    assert sorted(found(small_config)) == sorted(small.issues)


def test_a_search_that_does_not_end_is_ended(small_config: JiraConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "PAGES_MOST", 4)
    with pytest.raises(SourceUnavailable, match="did not end within 4 pages"):
        found(small_config, size=2)


@pytest.mark.parametrize("profile", [CLOUD])
def test_a_token_that_comes_again_is_an_error(small_config: JiraConfig, small: JiraState) -> None:
    small.troubles.append(trouble({"name": "fewer_items", "params": {"repeat_token": True}}))
    with pytest.raises(SourceUnavailable, match="same page token twice"):
        found(small_config, size=4)


@pytest.mark.parametrize("profile", [DATA_CENTER])
def test_the_day_on_which_a_resource_is_removed_has_a_name(small_config: JiraConfig, small: JiraState) -> None:
    small.troubles.append(trouble({"name": "search_gone"}))
    with pytest.raises(ResourceGone, match=r"410.*update Evenhand"):
        found(small_config)


def test_a_busy_site_is_asked_again_when_it_says(small_config: JiraConfig, small: JiraState) -> None:
    naps: list[float] = []
    governor = dataclasses.replace(small_config.governor, attempts=3, sleep=naps.append, clock=lambda: sum(naps))
    small.troubles.append(
        trouble({"name": "rate_limit", "times": 1, "match": {"path": "search"}, "params": {"retry_after": 17}})
    )
    assert sorted(found(dataclasses.replace(small_config, governor=governor))) == sorted(small.issues)
    assert naps[0] == 17
    assert governor.refusals == 1


def test_an_answer_that_was_cut_is_asked_for_again(small_config: JiraConfig, small: JiraState) -> None:
    naps: list[float] = []
    governor = dataclasses.replace(small_config.governor, attempts=3, sleep=naps.append, clock=lambda: sum(naps))
    for path in ("search", "sla", "serverInfo"):
        small.faults.append(Fault(re.compile(path), 200, 1, {}, b'{"issues":[{"id":'))
    pages = list(poll(dataclasses.replace(small_config, governor=governor), None))
    assert sorted(i["id"] for p in pages if p.entity == "issue" for i in orjson.loads(p.body)) == sorted(small.issues)
    assert governor.refusals == 3


def test_an_issue_that_says_not_when_it_was_changed_is_handed_on(small_config: JiraConfig, small: JiraState) -> None:
    small.troubles.append(trouble({"name": "missing_updated", "params": {"issue": "20003"}}))
    assert "20003" in found(small_config, ms(small.issues["20003"].values["updated"]))


def test_births_by_hand_are_found_at_once(small_config: JiraConfig, small: JiraState) -> None:
    since = ms(small.now_ms)
    born = act(small, {"op": "create", "type": "change"})["key"]
    assert found(small_config, since) == [born]


def test_every_request_goes_through_the_governor_for_its_purpose(small_config: JiraConfig, small: JiraState) -> None:
    asked: list[tuple[Purpose, tuple[str, ...]]] = []

    class Watched(Governor):
        def call(self, request: Any, *, purpose: Purpose = Purpose.WRITE, scopes: Any = ()) -> Any:
            asked.append((purpose, tuple(scopes)))
            return super().call(request, purpose=purpose, scopes=scopes)

    config = dataclasses.replace(small_config, governor=Watched(attempts=1))
    readings: dict[Purpose, Callable[[], object]] = {
        Purpose.POLL: lambda: list(poll(config, None)),
        Purpose.SWEEP: lambda: sweep(config),
        Purpose.REFETCH: lambda: list(refetch(config, ["20001", "99999"])),
    }
    for purpose, read in readings.items():
        asked.clear()
        small.log.clear()
        read()
        assert {name for name, _ in asked} == {purpose}
        assert len(asked) == len(small.log)  # the `jira` client's own requests too
        places = [place.replace("/jira", "", 1).partition(" ") for place in small.log]
        assert {scopes for _, scopes in asked} == {jira_scopes(method, path) for method, _, path in places}


@pytest.mark.parametrize("profile", [CLOUD])
def test_a_custom_field_with_the_name_of_a_system_field_takes_nothing_from_it(
    small_config: JiraConfig, small: JiraState
) -> None:
    """The `jira` client would translate `labels` to the id of a custom field of that name."""
    impostor = {"id": "customfield_10999", "name": "Stamp", "clauseNames": ["updated"]}
    catalogue = orjson.dumps([*words.field_catalogue(), impostor])
    small.faults.append(Fault(re.compile(r"rest/api/\d/field"), 200, 9, {}, catalogue))
    (page, *_) = refetch(small_config, ["20001"])
    assert orjson.loads(page.body)[0]["fields"]["updated"] == words.jira_time(small.issues["20001"].values["updated"])
