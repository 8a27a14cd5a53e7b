"""What a demonstration leaves behind, checked as a receiver at a terminal would: openssl, the command, a bookkeeper."""

import base64
import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.journeys.playing import Told

FILE_SET = {
    "payout.csv", "payout.csv.p7s", "manifest.json", "manifest.json.p7s", "manifest.json.jws", "release.tlog-proof",
    "release.leaf", "release.payload.json", "release.salt.hex",
}  # fmt: skip
KEYS = {"payout-ca.pem", "jwks.json", "log.vkey"}
BEAN_CHECK = Path(sys.executable).with_name("bean-check")
# The frame of an Ed25519 public key around its 32 bytes (RFC 8410).
ED25519_FRAME = bytes.fromhex("302a300506032b6570032100")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to check with")


@pytest.fixture
def copy(told: Told, tmp_path: Path) -> Path:
    """The folder as a receiver holds it; his to spoil."""
    return Path(shutil.copytree(told.place.out, tmp_path / "out"))


def lines(folder: Path) -> list[dict[str, str]]:
    with (folder / "payout.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def minor(amount: str) -> int:
    return int(Decimal(amount) * 100)


def openssl(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def cms(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    return openssl(
        folder, "cms", "-verify", "-binary", "-inform", "DER", "-in", f"{name}.p7s", "-content", name,
        "-CAfile", "payout-ca.pem", "-signer", "signer.pem", "-out", "/dev/null",
    )  # fmt: skip


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# ---- the summary


def test_the_last_line_sums_up_and_nothing_else_is_printed(told: Told) -> None:
    said = told.summary
    assert told.printed.count("\n") == 1
    assert {"incidents", "scores", "awards", "payout", "audit", "result_hash"} <= said.keys()
    assert said["incidents"] >= 20_000
    assert said["scores"] > 0
    assert said["awards"] > 0
    assert set(said["payout"]) == {"lines", "total_minor"}
    assert re.fullmatch("[0-9a-f]{64}", said["result_hash"])
    assert re.fullmatch("[0-9a-f]{64}", said["audit"]["root"])
    assert said["audit"]["size"] > said["payout"]["lines"]  # at least a decision for each line


def test_pay_and_keys_are_for_their_owner_alone(told: Told) -> None:
    for folder in (told.place.out, told.place.home / "keys"):
        assert folder.stat().st_mode & 0o777 == 0o700
    kept = [path for path in (told.place.home / "keys").rglob("*") if path.is_file()]
    assert kept
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_stand_ins_shout(told: Told) -> None:
    assert "DEVELOPMENT SIGNER" in told.said
    assert "NOT FOR PAY" in told.said


def test_nothing_goes_on_after_the_end(told: Told) -> None:
    assert not (told.place.home / "pg/postmaster.pid").exists()


# ---- the files


def test_the_file_set_is_whole(told: Told) -> None:
    names = {path.name for path in told.place.out.iterdir() if path.stat().st_size}
    assert FILE_SET | KEYS | {"ledger.beancount", "ledger.journal", "checkpoint"} == names


def test_the_sum_of_the_lines_is_the_summary_and_the_manifest(told: Told) -> None:
    paid = lines(told.place.out)
    total = sum(minor(line["amount"]) for line in paid)
    assert told.summary["payout"] == {"lines": len(paid), "total_minor": {"EUR": total}}
    assert len({line["line_id"] for line in paid}) == len({line["award_ref"] for line in paid}) == len(paid)
    assert len(paid) == told.summary["awards"]
    controls = orjson.loads((told.place.out / "manifest.json").read_bytes())["controls"]
    assert controls["records"] == len(paid)
    assert controls["distinct_employees"] == len({line["employee_id"] for line in paid})
    assert controls["by_currency"] == [
        {"currency": "EUR", "exponent": 2, "records": len(paid), "credit_minor": str(total), "debit_minor": "0",
         "net_minor": str(total)}
    ]  # fmt: skip
    ids = [sha256(line["employee_id"].encode()).digest()[:8] for line in paid]
    assert controls["employee_hash_total"] == str(sum(int.from_bytes(each, "big") for each in ids) % 2**64)


def test_the_manifest_names_the_very_bytes(told: Told) -> None:
    (named,) = orjson.loads((told.place.out / "manifest.json").read_bytes())["files"]
    content = (told.place.out / "payout.csv").read_bytes()
    assert (named["name"], named["size"], named["sha256"]) == (
        "payout.csv",
        len(content),
        sha256(content).hexdigest(),
    )


# ---- signatures, by openssl


@needs_openssl
@pytest.mark.parametrize("name", ["payout.csv", "manifest.json"])
def test_openssl_accepts_the_signature_and_refuses_one_flipped_byte(copy: Path, name: str) -> None:
    good = cms(copy, name)
    assert good.returncode == 0, good.stderr
    assert "success" in good.stderr.lower()
    flip(copy / name)
    bad = cms(copy, name)
    assert bad.returncode != 0
    assert "failure" in bad.stderr.lower()


@needs_openssl
def test_openssl_refuses_a_signer_of_another_authority(copy: Path) -> None:
    made = openssl(
        copy, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "other.key",
        "-out", "payout-ca.pem", "-days", "30", "-subj", "/CN=Somebody else",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert cms(copy, "manifest.json").returncode != 0


@needs_openssl
def test_openssl_accepts_the_jws_without_a_jose_library(copy: Path) -> None:
    header, empty, signature = (copy / "manifest.json.jws").read_text().strip().split(".")
    assert empty == ""
    kid = orjson.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    keys = orjson.loads((copy / "jwks.json").read_bytes())["keys"]
    (x,) = [key["x"] for key in keys if key["kid"] == kid]
    (copy / "jws.pub.der").write_bytes(ED25519_FRAME + base64.urlsafe_b64decode(x + "=="))
    (copy / "sig").write_bytes(base64.urlsafe_b64decode(signature + "=="))

    def verified(manifest: bytes) -> bool:
        body = base64.urlsafe_b64encode(manifest).rstrip(b"=")
        (copy / "input").write_bytes(header.encode() + b"." + body)
        return not openssl(
            copy, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "jws.pub.der", "-rawin", "-in", "input",
            "-sigfile", "sig",
        ).returncode  # fmt: skip

    manifest = (copy / "manifest.json").read_bytes()
    assert verified(manifest)
    assert not verified(manifest.replace(b'"sequence":1', b'"sequence":2'))


# ---- the command of the auditor


def test_verify_accepts_what_the_demonstration_left(told: Told) -> None:
    done = told.place.evenhand("verify", str(told.place.out))
    assert done.returncode == 0, done.stdout
    assert "FAILED" not in done.stdout
    assert "8 checks ok" in done.stdout


def one_cent_more(folder: Path) -> None:
    path = folder / "payout.csv"
    amount = lines(folder)[0]["amount"]
    more = f"{Decimal(amount) + Decimal('0.01')}"
    path.write_bytes(path.read_bytes().replace(amount.encode(), more.encode(), 1))


def no_proof(folder: Path) -> None:
    (folder / "release.tlog-proof").unlink()


def another_leaf(folder: Path) -> None:
    flip(folder / "release.leaf")


def keys_of_nobody(folder: Path) -> None:
    (folder / "log.vkey").write_text("dev.invalid/127.0.0.1/audit+00000000+" + "A" * 44 + "\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (one_cent_more, ["payout.csv signature (CMS)", "payout.csv is not the file that the manifest names"]),
        (no_proof, ["release.tlog-proof is missing", "Fetch the whole folder again"]),
        (another_leaf, ["release in the log"]),
        (keys_of_nobody, ["release in the log"]),
    ],
)
def test_verify_refuses_what_was_changed_and_says_what(
    told: Told, copy: Path, spoil: Callable[[Path], Any], words: list[str]
) -> None:
    spoil(copy)
    done = told.place.evenhand("verify", str(copy))
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert all(any(word in line for line in failed) for word in words), done.stdout
    assert "do not process this payout" in done.stdout
    assert done.stderr == ""


# ---- the books


def test_an_outside_bookkeeper_accepts_the_ledger_and_refuses_it_off_by_one_cent(told: Told, copy: Path) -> None:
    def check() -> subprocess.CompletedProcess[str]:
        words = [str(BEAN_CHECK), "--no-cache", "ledger.beancount"]
        return subprocess.run(words, cwd=copy, capture_output=True, text=True, timeout=120, check=False)

    good = check()
    assert (good.returncode, good.stdout + good.stderr) == (0, "")
    path = copy / "ledger.beancount"
    amount = lines(copy)[0]["amount"]
    path.write_text(path.read_text().replace(f"  {amount} EUR", f"  {Decimal(amount) + Decimal('0.01')} EUR", 1))
    bad = check()
    assert bad.returncode == 1
    assert "does not balance" in bad.stderr


def test_what_went_to_payroll_is_what_was_paid(told: Told) -> None:
    postings = re.findall(
        r"^  ([A-Z][\w:]+)  (-?[\d.]+) EUR$", (told.place.out / "ledger.beancount").read_text(), re.MULTILINE
    )
    balances: dict[str, int] = {}
    for account, amount in postings:
        balances[account] = balances.get(account, 0) + minor(amount)
    total = told.summary["payout"]["total_minor"]["EUR"]
    assert balances["Assets:PayrollClearing"] == -total  # the money has left us
    assert balances["Expenses:Incentive:Accrual"] == total
    assert {
        account: amount for account, amount in balances.items() if account.startswith("Liabilities:")
    } == dict.fromkeys(
        (account for account in balances if account.startswith("Liabilities:")), 0
    )  # nothing is still owed
