"""The setting that maps groups to roles, tokens of service accounts, and the commands for requests."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from api import identity, settings
from api.cli import main
from api.signing.development import DevelopmentSigner
from engine.refusal import Code, Refused
from engine.words import Role
from tests.api.scim.office import START, Office, person


def test_groups_are_mapped_as_they_are_called() -> None:
    found = settings.read({"EVENHAND_SCIM_ROLES": "Pay: auditors = AUDITOR, A=B=HR,"}).scim_roles
    assert found == (("Pay: auditors", Role.AUDITOR), ("A=B", Role.HR))
    assert settings.read({}).scim_roles == ()


@pytest.mark.parametrize("text", ["People", "=HR", "People=BOSS", "People=hr", "People=EMPLOYEE", "X=HR,X=AUDITOR"])
def test_a_mapping_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="EVENHAND_SCIM_ROLES"):
        settings.read({"EVENHAND_SCIM_ROLES": text})


def test_a_service_token_lives_ten_minutes_and_not_in_production(tmp_path: Path) -> None:
    signer = DevelopmentSigner(tmp_path / "keys", environment="test")
    trust = identity.access_trust(signer)
    claims = identity.verify(identity.mint_service(signer, "scim:write", START), trust, START)
    assert claims.more["exp"] - claims.more["iat"] == 600
    with pytest.raises(Refused) as no:
        identity.subject(claims)
    assert no.value.code is Code.UNAUTHENTICATED, "it names no person"
    with pytest.raises(Refused) as no:
        identity.mint_service(signer, "pay:everything", START)
    assert no.value.code is Code.BAD_INPUT


@pytest.mark.parametrize("words", [["token"], ["token", "hr", "--scope", "scim:write"], ["token", "--scope", "all"]])
def test_a_token_is_for_a_role_or_for_a_scope(words: list[str]) -> None:
    assert CliRunner().invoke(main, words).exit_code == 2


@pytest.fixture
async def asked(fresh: Office, tmp_path: Path) -> dict[str, str]:
    """Hugo is of HR; Ana and Ben are asked to be administrators. The commands find all that by these variables."""
    await fresh.grant("hugo", Role.HR)
    await fresh.group("Tool people", await fresh.account("ana"), await fresh.account("ben"))
    return {
        "EVENHAND_DATABASE_URL": fresh.house.database_url,
        "EVENHAND_HOME": str(tmp_path),
        "EVENHAND_SCIM_ROLES": "Tool people=ITSM_ADMIN",
    }


def test_requests_are_listed_and_decided_on_the_command_line(asked: dict[str, str]) -> None:
    def evenhand(*words: str) -> tuple[int, list[dict[str, object]]]:
        answer = CliRunner().invoke(main, list(words), env=asked)
        return answer.exit_code, [json.loads(line) for line in answer.stdout.splitlines()]

    status, waiting = evenhand("requests")
    assert (status, sorted(str(each["name"]) for each in waiting)) == (0, ["Ana", "Ben"])
    hugo = str(person("hugo"))
    ana, ben = (next(str(each["id"]) for each in waiting if each["name"] == name) for name in ("Ana", "Ben"))
    assert evenhand("decide", ana, "--person", hugo) == (0, [{"request": ana, "granted": True, "until": None}])
    assert evenhand("decide", ben, "--person", hugo, "--refuse") == (0, [{"request": ben, "granted": False}])
    assert evenhand("decide", ben, "--person", hugo) == (2, [])
    assert evenhand("requests") == (0, [])
