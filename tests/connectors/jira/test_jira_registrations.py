"""Webhooks of both kinds are registered, listed, prolonged and, when they expired, missed; checks say what is wrong."""

import dataclasses
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from connectors.jira.check import check
from connectors.jira.registrations import EVENTS, refresh, register, registrations, remove
from connectors.jira.site import JiraConfig
from connectors.jira.times import EPOCH
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_hooks import due, sealed
from connectors.sandbox.jira_state import CLOUD, DATA_CENTER, Fault, JiraState
from connectors.sandbox.jira_troubles import trouble
from connectors.source import Check, CheckState, SourceRefused
from engine.refusal import Refused

OK, WARN, FAIL = CheckState.OK, CheckState.WARN, CheckState.FAIL
HERE = "https://evenhand.example/hooks/jira/c7"
MONTH = timedelta(days=30)


def now(state: JiraState) -> datetime:
    return EPOCH + timedelta(milliseconds=state.now_ms)


def as_app(config: JiraConfig, state: JiraState) -> JiraConfig:
    """An OAuth app comes with a bearer."""
    return dataclasses.replace(config, email="", token=state.app_token)


# ---- registrations


def test_an_administrators_hook_stays_and_is_signed(small_config: JiraConfig, small: JiraState) -> None:
    (number,) = register(small_config, HERE, secret="a made-up secret")
    (found,) = registrations(small_config)
    assert (found.id, found.kind, found.url, found.expires_at, found.enabled) == (number, "admin", HERE, None, True)
    assert set(found.events) == set(EVENTS)
    act(small, {"op": "create"})
    (parcel,) = due(small)
    headers, _ = sealed(small, parcel)
    assert ("x-hub-signature" in headers) is not small.data_center
    assert refresh(small_config, [number]) is None
    remove(small_config, [number])
    assert registrations(small_config) == []


@pytest.mark.parametrize("profile", [CLOUD])
def test_an_apps_hook_expires_and_is_prolonged(small_config: JiraConfig, small: JiraState) -> None:
    config = as_app(small_config, small)
    (number,) = register(config, HERE)
    (found,) = registrations(config)
    assert (found.id, found.kind, found.expires_at) == (number, "dynamic", now(small) + MONTH)
    small.advance(small.now_ms + 29 * 86_400_000)
    assert refresh(config, [number]) == now(small) + MONTH
    assert registrations(config)[0].expires_at == now(small) + MONTH
    small.advance(small.now_ms + 31 * 86_400_000)
    refresh(config, [number])  # too late: what has expired stays expired
    assert registrations(config) == []
    (again,) = register(config, HERE)
    assert again != number
    remove(config, [again])
    assert registrations(config) == []


@pytest.mark.parametrize("profile", [CLOUD])
def test_an_app_hears_of_our_projects_alone(small_config: JiraConfig, small: JiraState) -> None:
    register(as_app(small_config, small), HERE)
    act(small, {"op": "create", "project": "ARC"})
    assert due(small) == []
    act(small, {"op": "create"})
    (parcel,) = due(small)
    assert "x-hub-signature" not in sealed(small, parcel)[0]


@pytest.mark.parametrize("profile", [CLOUD])
def test_whoever_may_not_register_is_told(small_config: JiraConfig, small: JiraState) -> None:
    with pytest.raises(SourceRefused, match="only Connect and OAuth"):
        register(small_config, HERE)
    assert registrations(small_config) == []  # the kind that we may not see is left out
    wrong = b'{"webhookRegistrationResult":[{"errors":["The clause is invalid."]}]}'
    small.faults.append(Fault(re.compile("POST .*/webhook"), 200, 1, {}, wrong))
    with pytest.raises(SourceRefused, match="The clause is invalid"):
        register(as_app(small_config, small), HERE)


@pytest.mark.parametrize("profile", [DATA_CENTER])
def test_data_center_has_no_hooks_of_apps(small_config: JiraConfig) -> None:
    with pytest.raises(Refused, match="with a secret"):
        register(small_config, HERE)


def test_an_address_that_anybody_could_listen_to_is_refused(small_config: JiraConfig) -> None:
    with pytest.raises(Refused, match="not an https address"):
        register(small_config, "http://evenhand.example/hooks/jira", secret="a made-up secret")


# ---- checks


def states(found: Sequence[Check]) -> dict[str, CheckState]:
    assert all(check.what and (check.fix or check.state is OK) for check in found)
    return {check.name: check.state for check in found}


ALL_WELL = {
    "token": OK, "clock": OK, "fields": OK, "project OPS": OK, "service desk": OK, "time zone": OK, "webhook": OK,
}  # fmt: skip


@pytest.mark.capability("I7.1")
def test_all_is_well(small_config: JiraConfig, small: JiraState) -> None:
    register(small_config, HERE, secret="a made-up secret")
    assert states(check(small_config, now(small), HERE)) == ALL_WELL
    assert states(check(small_config, now(small), "https://elsewhere.example"))["webhook"] is WARN
    assert not any(place.startswith(("PUT", "DELETE")) for place in small.log)


def test_a_wrong_token_is_all_that_can_be_said(small_config: JiraConfig, small: JiraState) -> None:
    (only,) = check(dataclasses.replace(small_config, token="wrong"), now(small))
    assert (only.name, only.state) == ("token", FAIL)
    assert "API token" in only.what


def test_what_is_not_shown_is_named(small_config: JiraConfig, small: JiraState) -> None:
    found = check(dataclasses.replace(small_config, projects=("OPS", "SECRET")), now(small))
    assert (states(found)["project OPS"], states(found)["project SECRET"]) == (OK, FAIL)
    small.faults.append(Fault(re.compile("/sla"), 404, 9))
    assert states(check(small_config, now(small)))["service desk"] is FAIL
    small.faults.append(Fault(re.compile(r"rest/api/\d/field"), 200, 9, {}, b"[]"))
    found = check(small_config, now(small))
    assert states(found)["fields"] is FAIL
    assert "service desk" not in states(found)  # without its fields the site cannot be opened
    assert "Affected service" in next(check.what for check in found if check.name == "fields")


@pytest.mark.parametrize(("seconds", "state"), [(0, OK), (59, OK), (90, WARN), (-90, WARN), (301, FAIL), (-301, FAIL)])
def test_clocks_that_differ_are_named(small_config: JiraConfig, small: JiraState, seconds: int, state: str) -> None:
    assert states(check(small_config, now(small) + timedelta(seconds=seconds)))["clock"] is state


def test_the_zone_matters_only_where_bounds_are_words(small_config: JiraConfig, small: JiraState) -> None:
    small.troubles.append(trouble({"name": "account_zone", "params": {"zone": "Europe/Berlin"}}))
    assert states(check(small_config, now(small)))["time zone"] is OK
    small.faults.append(Fault(re.compile(r"rest/api/\d/search"), 400, 9))
    small.faults[-1].times = 9
    found = {one.name: one for one in check(small_config, now(small))}
    assert found["service desk"].state is FAIL  # this site refuses every search
    assert found["time zone"].state is WARN
    assert "Europe/Berlin" in found["time zone"].what


@pytest.mark.parametrize("profile", [CLOUD])
def test_a_hook_that_ends_soon_or_was_switched_off_is_named(small_config: JiraConfig, small: JiraState) -> None:
    config = as_app(small_config, small)
    assert states(check(config, now(small)))["webhook"] is WARN
    register(config, HERE)
    assert states(check(config, now(small)))["webhook"] is OK
    small.advance(small.now_ms + 25 * 86_400_000)
    assert states(check(config, now(small)))["webhook"] is WARN
    off = b'[{"self":"https://x.test/rest/webhooks/1.0/webhook/5","url":"%s","enabled":false}]' % HERE.encode()
    small.faults.append(Fault(re.compile("webhooks/1.0"), 200, 1, {}, off))
    found = check(config, now(small), HERE)
    assert [(one.state, one.what) for one in found if "admin:5" in one.what] == [
        (FAIL, "Webhook admin:5 is switched off.")
    ]
