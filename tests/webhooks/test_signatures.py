"""Only a genuine body passes. Each refusal stands beside its twin that is accepted."""

import hmac
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from engine.refusal import Refused
from tests.webhooks.receiving import (
    JIRA_SECRET,
    NOW,
    OLDER_KEY,
    OLDER_SECRET,
    STANDARD_KEY,
    STANDARD_SECRET,
    hub,
    standard,
)
from webhooks.reasons import Reason
from webhooks.signatures import Genuine, Headers, hub_signature, plain_secrets, standard_secrets, standard_webhook

BODY = b'{"table":"incident","op":"update"}'
NOW_S = int(NOW.timestamp())
SECRETS = (STANDARD_KEY, OLDER_KEY)

Change = Callable[[dict[bytes, bytes]], object]


def raw(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in headers.items()}


def judged(headers: dict[bytes, bytes], body: bytes = BODY, now: datetime = NOW) -> Genuine | Reason:
    return standard_webhook(list(headers.items()), body, SECRETS, now)


def resigned(delivery_id: str = "evt_1", at: str = str(NOW_S)) -> dict[bytes, bytes]:
    """Rightly signed over an odd id or timestamp, so that only the oddness can be the reason."""
    mac = hmac.digest(STANDARD_KEY, f"{delivery_id}.{at}.".encode() + BODY, "sha256")
    return raw(
        {"webhook-id": delivery_id, "webhook-timestamp": at, "webhook-signature": f"v1,{b64encode(mac).decode()}"}
    )


def test_two_independent_signers_are_believed() -> None:
    signature = Webhook(STANDARD_SECRET).sign("msg_2b", NOW, BODY.decode())
    by_library = {
        b"webhook-id": b"msg_2b",
        b"webhook-timestamp": b"%d" % NOW_S,
        b"webhook-signature": signature.encode(),
    }
    assert judged(by_library) == Genuine("msg_2b", 0)
    assert judged(raw(standard(BODY, "msg_2b"))) == Genuine("msg_2b", 0)
    assert signature == standard(BODY, "msg_2b")["webhook-signature"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("webhook-id", Reason.HEADER_MISSING),
        ("webhook-timestamp", Reason.HEADER_MISSING),
        ("webhook-signature", Reason.HEADER_MISSING),
    ],
)
def test_a_missing_or_repeated_security_header_is_a_refusal(name: str, reason: Reason) -> None:
    intact = raw(standard(BODY))
    assert judged(intact) == Genuine("evt_1", 0)
    assert judged({key: value for key, value in intact.items() if key != name.encode()}) is reason
    twice: Headers = [*intact.items(), (name.encode(), intact[name.encode()])]
    assert standard_webhook(twice, BODY, SECRETS, NOW) is Reason.HEADER_REPEATED


@pytest.mark.parametrize("delivery_id", ["", "a.b", "x" * 129, "évt", "a b", "evt_1\n", "../x", "a\x00b"])
def test_an_id_that_could_be_read_in_two_ways_is_refused_however_well_signed(delivery_id: str) -> None:
    assert judged(resigned("x" * 128)) == Genuine("x" * 128, 0)
    assert judged(resigned(delivery_id)) is Reason.ID_MALFORMED


@pytest.mark.parametrize("text", ["", "+1", "-5", "1e9", "nan", "{}.0", " {}", "{} ", "{}\n", "0x10", "٣", "1" * 13])
def test_a_timestamp_is_up_to_twelve_digits_and_nothing_else(text: str) -> None:
    assert judged(resigned(at=str(NOW_S))) == Genuine("evt_1", 0)
    assert judged(resigned(at=text.format(NOW_S))) is Reason.TIMESTAMP_MALFORMED


def test_leading_zeros_are_signed_as_they_stand() -> None:
    assert judged(resigned(at=f"00{NOW_S}")) == Genuine("evt_1", 0)
    assert judged({**resigned(at=f"00{NOW_S}"), b"webhook-timestamp": b"%d" % NOW_S}) is Reason.NO_MATCH


@pytest.mark.parametrize(("late_s", "passes"), [(-301, False), (-299, True), (0, True), (299, True), (301, False)])
def test_the_window_is_300_seconds_either_way(late_s: int, passes: bool) -> None:
    verdict = judged(raw(standard(BODY)), now=NOW + timedelta(seconds=late_s))
    assert verdict == (Genuine("evt_1", 0) if passes else Reason.OUTSIDE_WINDOW)


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"v1", b"v1,", b"v1,!!!", b"v1,AAAA", b"v1,\xff\xfe", b"\xff", b",", b" ",
        b"v2,%s", b"V1,%s", b"v1,%s=", b"v1, %s", b"v1;%s", b"%s",
    ],
)  # fmt: skip
def test_a_malformed_signature_is_no_match_and_does_not_hide_a_good_one(broken: bytes) -> None:
    intact = raw(standard(BODY))
    good = intact[b"webhook-signature"]
    bad = broken.replace(b"%s", good.removeprefix(b"v1,"))
    assert judged({**intact, b"webhook-signature": bad}) is Reason.NO_MATCH
    assert judged({**intact, b"webhook-signature": bad + b" " + good}) == Genuine("evt_1", 0)
    assert judged({**intact, b"webhook-signature": good + b" " + bad}) == Genuine("evt_1", 0)


def test_a_signature_list_is_bounded() -> None:
    intact = raw(standard(BODY))
    good = intact[b"webhook-signature"]
    assert judged({**intact, b"webhook-signature": b"v1,x " * 9 + good}) == Genuine("evt_1", 0)
    assert judged({**intact, b"webhook-signature": b"v1,x " * 10 + good}) is Reason.SIGNATURES_TOO_MANY
    filler = b"v1," + b"x" * (4096 - 4 - len(good))
    assert judged({**intact, b"webhook-signature": filler + b" " + good}) == Genuine("evt_1", 0)
    assert judged({**intact, b"webhook-signature": filler + b"x " + good}) is Reason.SIGNATURES_TOO_MANY


def test_two_secrets_verify_during_a_rotation_and_one_after_it() -> None:
    old, new = raw(standard(BODY, key=OLDER_KEY)), raw(standard(BODY))
    assert judged(old) == Genuine("evt_1", 1)
    assert judged(new) == Genuine("evt_1", 0)
    assert standard_webhook(list(old.items()), BODY, SECRETS[:1], NOW) is Reason.NO_MATCH
    both = {**new, b"webhook-signature": old[b"webhook-signature"] + b" " + new[b"webhook-signature"]}
    assert standard_webhook(list(both.items()), BODY, SECRETS[:1], NOW) == Genuine("evt_1", 0)


def test_a_body_that_is_not_text_is_signed_like_any_other() -> None:
    body = b"\x00\xff\xfe{"
    assert judged(raw(standard(body)), body) == Genuine("evt_1", 0)
    assert judged(raw(standard(body)), body + b"\x00") is Reason.NO_MATCH


@given(st.sampled_from(sorted(standard(BODY))), st.integers(0), st.integers(1, 255))
def test_no_single_changed_byte_of_a_header_is_believed(name: str, at: int, flip: int) -> None:
    headers = raw(standard(BODY))
    value = bytearray(headers[name.encode()])
    value[at % len(value)] ^= flip
    assert isinstance(judged({**headers, name.encode(): bytes(value)}), Reason)


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_no_single_changed_byte_of_a_body_is_believed(at: int, flip: int) -> None:
    body = bytearray(BODY)
    body[at] ^= flip
    assert judged(raw(standard(BODY)), bytes(body)) is Reason.NO_MATCH
    assert jira_judged(raw(hub(BODY)), bytes(body)) is Reason.NO_MATCH


NAMES = st.sampled_from([*map(str.encode, (*standard(BODY), *hub(BODY))), b"host"])


@given(st.lists(st.tuples(NAMES, st.binary(max_size=60)), max_size=8), st.binary(max_size=60))
def test_hostile_bytes_never_raise_and_never_pass(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    assert isinstance(standard_webhook(headers, body, SECRETS, NOW), Reason)
    assert isinstance(hub_signature(headers, body, plain_secrets([JIRA_SECRET]), NOW), Reason)


def jira_judged(headers: dict[bytes, bytes], body: bytes = BODY) -> Genuine | Reason:
    return hub_signature(list(headers.items()), body, plain_secrets([JIRA_SECRET]), datetime(2040, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda h: h.pop(b"x-hub-signature"), Reason.HEADER_MISSING),
        (lambda h: h.update({b"x-hub-signature": b""}), Reason.NO_MATCH),
        (lambda h: h.update({b"x-hub-signature": h[b"x-hub-signature"][7:]}), Reason.NO_MATCH),
        (lambda h: h.update({b"x-hub-signature": b"sha1=" + h[b"x-hub-signature"][7:]}), Reason.NO_MATCH),
        (lambda h: h.update({b"x-hub-signature": h[b"x-hub-signature"] + b"00"}), Reason.NO_MATCH),
        (lambda h: h.update({b"x-hub-signature": b"sha256=\xff\xff"}), Reason.NO_MATCH),
        (lambda h: h.update({b"x-atlassian-webhook-identifier": b""}), Reason.ID_MALFORMED),
        (lambda h: h.update({b"x-atlassian-webhook-identifier": b"a\x00"}), Reason.ID_MALFORMED),
        (lambda h: h.update({b"x-atlassian-webhook-identifier": b"x" * 201}), Reason.ID_MALFORMED),
    ],
)
def test_jira_must_sign_its_body(change: Change, reason: Reason) -> None:
    headers = raw(hub(BODY))
    assert jira_judged(headers) == Genuine("8b0e4c", 0)
    change(headers)
    assert jira_judged(headers) is reason


def test_a_jira_header_that_comes_twice_is_a_refusal() -> None:
    for name in raw(hub(BODY)):
        twice = [*raw(hub(BODY)).items(), (name, raw(hub(BODY))[name])]
        assert hub_signature(twice, BODY, plain_secrets([JIRA_SECRET]), NOW) is Reason.HEADER_REPEATED


def test_a_jira_without_identifiers_is_known_by_its_body() -> None:
    headers = raw(hub(BODY))
    del headers[b"x-atlassian-webhook-identifier"]
    first = jira_judged(headers)
    assert isinstance(first, Genuine)
    assert first == jira_judged(headers)
    other = raw(hub(b"{}"))
    del other[b"x-atlassian-webhook-identifier"]
    assert isinstance(jira_judged(other, b"{}"), Genuine)
    assert jira_judged(other, b"{}") != first


@pytest.mark.parametrize(
    "texts",
    [
        [], [""], [STANDARD_SECRET, ""], ["whsec_"], [STANDARD_SECRET.removeprefix("whsec_")], ["whsec_!!!"],
        ["whsec_" + b64encode(b"x" * 23).decode()], ["whsec_" + b64encode(b"x" * 65).decode()], ["whsec_é"],
    ],
)  # fmt: skip
def test_a_weak_or_empty_secret_refuses_to_start(texts: list[str]) -> None:
    assert standard_secrets([STANDARD_SECRET, OLDER_SECRET]) == SECRETS
    with pytest.raises(Refused):
        standard_secrets(texts)


@pytest.mark.parametrize("texts", [[], [""], ["  "], ["good", ""]])
def test_an_empty_jira_secret_refuses_to_start(texts: list[str]) -> None:
    assert plain_secrets(["good"]) == (b"good",)
    with pytest.raises(Refused):
        plain_secrets(texts)
