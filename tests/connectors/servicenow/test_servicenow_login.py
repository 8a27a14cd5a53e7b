"""Who we are to an instance: one token for all of us, asked for in time, by one caller, and again when it is lost."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.servicenow.login import Token, token_of
from connectors.servicenow.pull import poll
from connectors.source import SourceRefused, SourceUnavailable
from tests.connectors.servicenow.imitation import Imitation

SIZE = "small"
CLIENT = {"user": "", "password": "", "client_id": "client", "client_secret": "made-up-secret"}


@pytest.fixture(autouse=True)
def strangers() -> Iterator[None]:
    """Nobody holds a token yet."""
    token_of.cache_clear()
    yield
    token_of.cache_clear()


def read(instance: Imitation, **login: Any) -> int:
    return sum(1 for _ in poll(instance.configured(**login), "sys_user_group", None))


def asked(instance: Imitation, began: int) -> int:
    return sum(entry["path"] == "/oauth_token.do" for entry in instance.asked()[began:])


def test_an_oauth_client_reads_with_a_token(instance: Imitation) -> None:
    assert read(instance, **CLIENT) == 1
    with pytest.raises(SourceRefused, match="client credentials"):
        read(instance, **CLIENT | {"client_secret": "wrong"})


def test_every_connection_of_a_client_shares_its_token(instance: Imitation) -> None:
    began = len(instance.asked())
    for _ in range(3):
        assert read(instance, **CLIENT) == 1
    assert asked(instance, began) == 1


def test_a_token_that_the_instance_no_longer_knows_is_replaced_once(instance: Imitation) -> None:
    assert read(instance, **CLIENT) == 1
    began = len(instance.asked())
    instance.break_down("http_error", status=401)
    assert read(instance, **CLIENT) == 1
    assert asked(instance, began) == 1


def test_a_client_that_is_refused_with_a_new_token_too_stops(instance: Imitation) -> None:
    instance.break_down("http_error", status=401, times=2)
    began = len(instance.asked())
    with pytest.raises(SourceRefused, match="client secret"):
        read(instance, **CLIENT)
    assert asked(instance, began) == 2


def test_a_token_is_asked_for_anew_at_four_fifths_of_its_life(instance: Imitation) -> None:
    now = [0.0]
    token = Token(instance.url, "client", "made-up-secret", clock=lambda: now[0])
    first = token.current()
    now[0] = 0.79 * 1_799
    assert token.current() == first
    now[0] = 0.81 * 1_799
    assert token.current() != first


def test_callers_that_need_a_token_at_once_cost_one(instance: Imitation) -> None:
    """Four threads find that they have none, and later that the one which they hold is lost."""
    token, began = Token(instance.url, "client", "made-up-secret"), len(instance.asked())
    for round_ in (1, 2):
        got: list[str] = []
        together = threading.Barrier(4)

        def ask(got: list[str] = got, together: threading.Barrier = together) -> None:
            together.wait()
            got.append(token.current())

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(got) == 4
        assert len(set(got)) == 1
        assert asked(instance, began) == round_
        for _ in range(4):  # each of them is told that it is no longer known
            token.forget(got[0])


def test_a_caller_that_is_late_to_lose_a_token_does_not_cost_the_next_one(instance: Imitation) -> None:
    token, began = Token(instance.url, "client", "made-up-secret"), len(instance.asked())
    lost = token.current()
    token.forget(lost)
    fresh = token.current()
    token.forget(lost)
    assert token.current() == fresh
    assert asked(instance, began) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_an_instance_that_gives_no_token_now_is_asked_again(instance: Imitation, status: int) -> None:
    instance.break_down("http_error", method="POST", path="/oauth_token.do", status=status, times=2, retry_after=17)
    assert read(instance, **CLIENT) == 1
    assert sum(instance.naps) >= 34
    token_of.cache_clear()
    instance.break_down("http_error", method="POST", path="/oauth_token.do", status=status, times=100)
    with pytest.raises(SourceUnavailable, match="no token"):
        read(instance, **CLIENT)


def test_a_token_and_a_secret_do_not_show(instance: Imitation) -> None:
    token = Token(instance.url, "client", "made-up-secret")
    assert token.current() not in repr(token)
    assert "made-up-secret" not in repr(token)
