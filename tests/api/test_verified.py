"""A token that was found right is not checked again while it lasts, and never longer."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from api import identity, verified
from api.signing.development import DevelopmentSigner
from api.verified import Verified
from engine.refusal import Refused

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens that were checked in full."""
    seen: list[str] = []
    check = identity.verify

    def counted(token: str, trust: identity.Trust, now: datetime) -> identity.Claims:
        seen.append(token)
        return check(token, trust, now)

    monkeypatch.setattr(verified.identity, "verify", counted)
    return seen


def test_a_finding_holds_until_the_token_ends(tmp_path: Path, checks: list[str]) -> None:
    signer = DevelopmentSigner(tmp_path / "keys", environment="test")
    tokens, who = Verified(identity.access_trust(signer)), uuid4()
    token = identity.mint(signer, who, NOW, 60)
    for seconds in (0, 1, 59):
        assert tokens.claims(token, NOW + timedelta(seconds=seconds)).subject == str(who)
    assert checks == [token]
    tokens.claims(token, NOW + timedelta(seconds=61))  # in its 30 s of grace
    tokens.claims(token, NOW - timedelta(seconds=1))  # a clock that went back
    assert len(checks) == 3
    with pytest.raises(Refused):
        tokens.claims(token, NOW + timedelta(seconds=91))


def test_a_changed_token_and_a_refused_one_are_checked_each_time(tmp_path: Path, checks: list[str]) -> None:
    signer = DevelopmentSigner(tmp_path / "keys", environment="test")
    tokens = Verified(identity.access_trust(signer))
    token = identity.mint(signer, uuid4(), NOW)
    tokens.claims(token, NOW)
    for wrong in (token[:-2] + "AA", token + "é", ""):
        for _ in range(2):
            with pytest.raises(Refused):
                tokens.claims(wrong, NOW)
    assert len(checks) == 7


def test_only_so_many_are_kept(tmp_path: Path, checks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "KEPT_MAX", 2)
    signer = DevelopmentSigner(tmp_path / "keys", environment="test")
    tokens = Verified(identity.access_trust(signer))
    first, second, third = (identity.mint(signer, uuid4(), NOW) for _ in range(3))
    for token in (first, second, third, third, second, first):
        tokens.claims(token, NOW)
    assert checks == [first, second, third, first]
