"""The commands about files, agreements and reports, as people run them: processes of their own on a fresh database."""

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner

from api.cli import FAILED, REFUSED, main

BOTH = ("--by", "Kim Lee", "--and", "Noor Haddad")
STAFF = "employee_number,starts_on,job\n4001,2024-01-01,\x1b[31mred\n4002,tomorrow,Ops\n"
AGREEMENT = """
agreement: acme
owner: supplier management
vendor: Acme Cloud
parties: [Example AG, Acme Cloud Ltd]
purpose: Holding the supplier to what it promised.
legal_basis: Clause 9 of the master agreement.
fields: [agreement, period_starts_on, period_ends_on, met, total, status]
from: 2020-01-01
until: 2099-12-31
retention_months: 36
"""


@pytest.mark.capability("T3.1")
def test_a_file_from_the_shell(database_url: str, tmp_path: Path) -> None:
    def evenhand(*words: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "EVENHAND_HOME": str(tmp_path), "EVENHAND_DATABASE_URL": database_url}
        return subprocess.run([sys.executable, "-m", "api.cli", *words], env=environ, capture_output=True, text=True,
                              timeout=120)  # fmt: skip

    person, file = str(uuid4()), tmp_path / "staff.csv"
    file.write_text(STAFF)
    seen = evenhand("drop", "preview", "employment", str(file), "--as-of", "2026-01-01")
    assert seen.returncode == FAILED, seen.stderr
    assert "line 3 starts_on: REJECT MALFORMED 'tomorrow': It is no date." in seen.stdout
    assert "2 rows: 1 PASS, 0 WARN, 1 REJECT; 1 new, 0 changed, 0 same, 0 older" in seen.stdout
    assert "To fix it: Write it as 2026-01-31." in seen.stdout
    load = ("drop", "load", "employment", str(file), "--as-of", "2026-01-01", "--person", person)
    no = evenhand(*load)
    assert (no.returncode, "ACCESS_DENIED: " in no.stderr) == (REFUSED, True)
    assert evenhand("grant", "hr", "--person", person, "--until", "2099-01-01", *BOTH).returncode == 0
    no = evenhand(*load)
    assert (no.returncode, "1 of its 2 rows are rejected" in no.stderr) == (REFUSED, True)
    done = evenhand(*load, "--partial", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["records_moved"] == 1
    assert "\x1b" not in done.stdout, "a terminal is not told what to do by a file"


@pytest.mark.capability("I6.3")
def test_an_agreement_and_the_reports_from_the_shell(database_url: str, tmp_path: Path) -> None:
    def evenhand(*words: str, expect: int = 0) -> str:
        environ = {"EVENHAND_HOME": str(tmp_path), "EVENHAND_DATABASE_URL": database_url}
        done = CliRunner().invoke(main, words, env=environ)
        assert done.exit_code == expect, done.output
        return done.stdout if expect == 0 else done.stderr

    author, other = str(uuid4()), str(uuid4())
    for person in (author, other):
        evenhand("grant", "itsm-admin", "--person", person, *BOTH)
    file, terms = tmp_path / "v.csv", tmp_path / "acme.yaml"
    file.write_text("vendor,agreement,period_starts_on,period_ends_on,met,total,status\n"
                    "Acme Cloud,Gold,2026-01-01,2026-02-01,9,10,final\n")  # fmt: skip
    terms.write_text(AGREEMENT)
    load = ("drop", "load", "vendor-sla", str(file), "--as-of", "2026-03-01", "--person", author)
    assert "NO_ACTIVE_AGREEMENT" in evenhand(*load, expect=REFUSED)
    assert json.loads(evenhand("agreement", "propose", str(terms), "--person", author))["state"] == "DRAFT"
    assert json.loads(evenhand("agreement", "test", "acme", "--person", author))["holds"] is True
    assert json.loads(evenhand("agreement", "activate", "acme", "--person", other))["state"] == "ACTIVE"
    assert json.loads(evenhand("agreement", "list"))["warning"] is None
    assert "Loaded: 1 records moved, 1 lead to nobody yet." in evenhand(*load)
    assert json.loads(evenhand("drop", "list"))["passed"] == 1
    said = evenhand("report", "vendors", "--from", "2026-01-01", "--until", "2026-03-01")
    assert "PERIOD_MISMATCH Acme Cloud, Gold: No result covers 2026-02-01 to 2026-02-28." in said
    assert "reported Acme Cloud, Gold 2026-01-01..2026-02-01: 9 of 10 FINAL (Its company is not known" in said
    assert json.loads(evenhand("report", "vendors", "--json"))["cycle"] is None
    assert "0 implemented changes" in evenhand("report", "cab-skips")
    policy = tmp_path / "policy.yaml"
    policy.write_text("owner: x\nneeds: []\n")
    assert "PLAN_INVALID: calendar" in evenhand("report", "cab-skips", "--policy", str(policy), expect=REFUSED)
    assert json.loads(evenhand("agreement", "retire", "acme", "--person", author))["state"] == "RETIRED"
