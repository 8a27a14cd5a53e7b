"""A key set is complete only when the last page was reached and nobody who was counted is missing."""

import re

import pytest

from connectors.jira.site import JiraConfig
from connectors.jira.sweep import exists, sweep
from connectors.jira.times import EPOCH, milliseconds
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_state import CLOUD, DATA_CENTER, Fault, JiraState
from connectors.sandbox.jira_troubles import trouble
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Refused
from engine.words import Source

NO_PAGE = b'{"issues":[],"total":0}'


@pytest.mark.capability("I7.1")
def test_every_issue_stands_in_the_set_in_its_version(small_config: JiraConfig, small: JiraState) -> None:
    keys = sweep(small_config)
    assert (keys.source, keys.entity, keys.complete, keys.why) == (Source.JIRA, "issue", True, "")
    assert milliseconds(keys.observed_at) == small.now_ms
    assert {key.key: key.version_no for key in keys.keys} == {
        issue.issue_id: issue.values["updated"] for issue in small.issues.values()
    }
    assert all(milliseconds(key.version_at) == key.version_no for key in keys.keys)
    assert not any("/changelog" in place or "/sla" in place for place in small.log)  # only keys are asked for


def test_what_is_not_mirrored_is_not_in_the_set(small_config: JiraConfig, small: JiraState) -> None:
    act(small, {"op": "create", "project": "ARC"})
    act(small, {"op": "move", "key": "20001", "project": "ARC"})
    assert "20001" not in {key.key for key in sweep(small_config).keys}
    assert len(sweep(small_config).keys) == 24


def test_a_set_that_broke_off_is_not_complete_and_says_why(small_config: JiraConfig, small: JiraState) -> None:
    small.faults.append(Fault(re.compile("search"), 503, 9))
    keys = sweep(small_config)
    assert (keys.complete, keys.keys) == (False, [])
    assert "503" in keys.why


def test_a_refusal_is_no_set_at_all(small_config: JiraConfig, small: JiraState) -> None:
    small.faults.append(Fault(re.compile("search"), 403, 9))
    with pytest.raises(SourceRefused, match="rights"):
        sweep(small_config)


@pytest.mark.parametrize("profile", [DATA_CENTER])
def test_a_set_smaller_than_the_count_is_not_complete(small_config: JiraConfig, small: JiraState) -> None:
    first = b'{"startAt":0,"maxResults":1,"total":26,"issues":[%s]}'
    one = b'{"id":"1","fields":{"created":"2025-01-01T00:00:00.000+0000","updated":"2025-01-01T00:00:00.000+0000"}}'
    small.faults.append(Fault(re.compile("search"), 200, 1, {}, first % one))
    keys = sweep(small_config)  # the rest comes from the site, which holds 25, so 26 were seen
    assert (keys.complete, len(keys.keys)) == (True, 26)
    small.faults.append(Fault(re.compile("search"), 200, 1, {}, first.replace(b"26", b"27") % one))
    keys = sweep(small_config)
    assert (keys.complete, keys.why) == (False, "Jira counts 27 issues and showed 26.")


@pytest.mark.parametrize("profile", [CLOUD])
def test_what_cloud_estimates_is_a_warning_and_decides_nothing(small_config: JiraConfig, small: JiraState) -> None:
    small.faults.append(Fault(re.compile("approximate"), 200, 1, {}, b'{"count":99}'))
    keys = sweep(small_config)
    assert (keys.complete, keys.why) == (True, "Jira estimates 99 issues and showed 25.")
    small.faults.append(Fault(re.compile("approximate"), 500, 1))
    assert sweep(small_config).complete


@pytest.mark.parametrize("profile", [CLOUD])
def test_an_issue_without_an_id_makes_no_set_complete(small_config: JiraConfig, small: JiraState) -> None:
    small.faults.append(Fault(re.compile("search/jql"), 200, 1, {}, b'{"issues":[{"fields":{}}]}'))
    keys = sweep(small_config)
    assert (keys.complete, keys.why) == (False, "1 issues came without an id.")


def test_an_issue_that_says_not_when_it_was_changed_stands_all_the_same(
    small_config: JiraConfig, small: JiraState
) -> None:
    small.troubles.append(trouble({"name": "missing_updated", "params": {"issue": "20003"}}))
    (key,) = [key for key in sweep(small_config).keys if key.key == "20003"]
    assert (key.version_no, key.version_at) == (0, EPOCH)


def test_only_no_is_no(small_config: JiraConfig, small: JiraState) -> None:
    assert exists(small_config, "issue", "20001")
    small.troubles.append(trouble({"name": "index_lag", "params": {"seconds": 600}}))
    born = act(small, {"op": "create"})["key"]
    assert exists(small_config, "issue", born)
    act(small, {"op": "move", "key": "20002", "project": "ARC"})
    assert not exists(small_config, "issue", "20002")  # it stands no more in what is mirrored
    act(small, {"op": "delete", "key": "20001"})
    assert not exists(small_config, "issue", "20001")
    small.faults.append(Fault(re.compile("issue/20003"), 500, 1))
    with pytest.raises(SourceUnavailable):
        exists(small_config, "issue", "20003")
    small.faults.append(Fault(re.compile("issue/20003"), 403, 1))
    with pytest.raises(SourceRefused):
        exists(small_config, "issue", "20003")


def test_what_belongs_to_an_issue_is_looked_for_below_it(small_config: JiraConfig, small: JiraState) -> None:
    keys = [key.key for key in sweep(small_config, "request_approval").keys]
    assert keys
    assert exists(small_config, "request_approval", keys[0])
    assert not exists(small_config, "request_approval", f"{keys[0].partition(':')[0]}:0:nobody")
    act(small, {"op": "delete", "key": keys[0].partition(":")[0]})
    assert not exists(small_config, "request_approval", keys[0])


def test_what_cannot_be_swept_is_refused(small_config: JiraConfig) -> None:
    with pytest.raises(Refused, match="'worklog' is not swept"):
        sweep(small_config, "worklog")
    with pytest.raises(Refused, match="'issue_changelog' is not swept"):
        exists(small_config, "issue_changelog", "20001:1:status")
    with pytest.raises(Refused, match="no key"):
        exists(small_config, "issue", "OPS-1")
