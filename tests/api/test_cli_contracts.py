"""The commands about data, one after the other on a database of the test's own: no tool is connected."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner

from api.cli import FAILED, REFUSED, main

BOTH = ("--by", "Kim Lee", "--and", "Noor Haddad")


@pytest.mark.capability("I7.1")
def test_a_contract_from_the_shell(database_url: str, tmp_path: Path) -> None:
    def evenhand(*words: str, expect: int = 0) -> str:
        environ = {"EVENHAND_HOME": str(tmp_path), "EVENHAND_DATABASE_URL": database_url}
        done = CliRunner().invoke(main, words, env=environ)
        assert done.exit_code == expect, done.output
        return done.stdout if expect == 0 else done.stderr

    author, other = str(uuid4()), str(uuid4())
    for person in (author, other):
        evenhand("grant", "itsm-admin", "--person", person, *BOTH)
    file = tmp_path / "next.yaml"
    text = evenhand("contract", "show", "jira")
    file.write_text(text.replace("poll_minutes: 1,", "poll_minutes: soon,"))
    said = evenhand("contract", "propose", "jira", str(file), "--person", author, expect=REFUSED)
    assert "schedule.poll_minutes: 'soon'" in said
    file.write_text(text.replace("poll_minutes: 1,", "poll_minutes: 5,"))
    kept = json.loads(evenhand("contract", "propose", "jira", str(file), "--person", author))
    assert (kept["version"], kept["state"]) == (1, "DRAFT")
    tried = json.loads(evenhand("contract", "test", "jira", "--person", author))
    assert (tried["content_hash"], tried["stored"]) == (kept["content_hash"], {})
    applied = json.loads(evenhand("contract", "activate", "jira", "--person", other))
    assert applied == {"version": 1, "replays": [], "read_anew": []}
    assert "poll_minutes: 5," in evenhand("contract", "show", "jira")
    (listed,) = evenhand("contract", "list").splitlines()
    assert json.loads(listed)["state"] == "ACTIVE"
    late = evenhand("contract", "refresh", "jira", "--ends", "2026-04-01", "--opens", "2026-04-01T00:30", expect=FAILED)
    assert "REFRESH_TOO_LATE" in late
    assert "To fix it" in late
    assert evenhand("issues") == ""
    assert json.loads(evenhand("report", "data", "--json", "--html", str(tmp_path / "report.html")))["sources"] == []
    assert "Nothing is mirrored yet" in (tmp_path / "report.html").read_text()
