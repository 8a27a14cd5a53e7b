"""The offline check accepts an honest payout folder, and names the failed check for every damage we can think of."""

import json
import os
import random
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest

from api import verify
from api.signing.development import DevelopmentSigner
from engine import notes, payfile
from engine.canonical import canonical_json
from engine.leaf import Leaf, commitment, leaf_bytes, payload_bytes
from engine.merkle import inclusion_proof, leaf_hash, root_of
from engine.money import CURRENCY_DIGITS
from engine.notes import Checkpoint, Proof
from tests.engine.test_payfile import CSV, HAND_OVER, LINES

ORIGIN = "dev.invalid/audit/2026"
NOW = datetime(2026, 11, 21, 9, 5, tzinfo=UTC)
SALT = bytes(range(32))


def release(signer: DevelopmentSigner, manifest_sha256: str, ty: str = verify.RELEASE_TYPE) -> dict[str, bytes]:
    """The release entry as the fourth leaf of a log of seven."""
    payload = payload_bytes(
        actor="p-1",
        object_type="payout",
        object_id="42",
        object_version=1,
        data={"manifest_sha256": manifest_sha256},
        request="req-1",
    )
    leaf = leaf_bytes(Leaf(commitment(SALT, payload), uuid4(), NOW, ty))
    hashes = [leaf_hash(leaf) if index == 3 else leaf_hash(bytes([index])) for index in range(7)]
    note = signer.sign_checkpoint(ORIGIN, 7, root_of(hashes), NOW)
    return {
        "release.tlog-proof": notes.proof_text(Proof(3, tuple(inclusion_proof(hashes, 3)), note)).encode(),
        "release.leaf": leaf,
        "release.payload.json": payload,
        "release.salt.hex": SALT.hex().encode() + b"\n",
    }


def signed(signer: DevelopmentSigner, csv: bytes, manifest: bytes) -> dict[str, bytes]:
    return {
        "payout.csv": csv,
        "payout.csv.p7s": signer.cms_detached(csv),
        "manifest.json": manifest,
        "manifest.json.p7s": signer.cms_detached(manifest),
        "manifest.json.jws": signer.jws_detached(manifest).encode(),
        **release(signer, sha256(manifest).hexdigest()),
    }


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentSigner:
    return DevelopmentSigner(tmp_path_factory.mktemp("home") / "keys", environment="test")


@pytest.fixture(scope="module")
def honest(signer: DevelopmentSigner) -> dict[str, bytes]:
    hand_over = replace(HAND_OVER, environment="development", checkpoint=Checkpoint(ORIGIN, 2, bytes(32)))
    manifest = payfile.manifest(hand_over, [payfile.canonical_file(CSV)], LINES, CURRENCY_DIGITS)
    return signed(signer, CSV, manifest)


@pytest.fixture
def folder(tmp_path: Path, signer: DevelopmentSigner, honest: dict[str, bytes]) -> Path:
    (tmp_path / "payout-ca.pem").write_bytes(signer.payout_ca_pem)
    (tmp_path / "jwks.json").write_text(json.dumps(signer.jwks()))
    (tmp_path / "log.vkey").write_text(signer.vkey(ORIGIN) + "\n")
    return lay(tmp_path / "payouts" / "payroll-de-01" / "42", honest)


def lay(path: Path, content: dict[str, bytes]) -> Path:
    path.mkdir(parents=True)
    for name, body in content.items():
        (path / name).write_bytes(body)
    return path


def failed(folder: Path) -> set[str]:
    return {check.name for check in verify.verify_folder(folder) if not check.ok}


def test_an_honest_folder_passes_every_check_and_says_what_it_is(folder: Path) -> None:
    said: list[str] = []
    assert verify.run(folder, say=said.append) == verify.ALL_GOOD
    text = "\n".join(said)
    assert text.count("ok    ") == len(verify.CHECKS)
    assert "NOT FOR PAY" in text
    assert "net 160.50 EUR" in text
    assert "second channel" in text


def test_keys_from_elsewhere_are_used_when_given(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "safe").mkdir()
    ca, jwks, vkey = (
        (tmp_path / name).rename(tmp_path / "safe" / name) for name in ("payout-ca.pem", "jwks.json", "log.vkey")
    )
    said: list[str] = []
    assert verify.run(folder, say=said.append) == verify.SOMETHING_FAILED
    assert verify.run(folder, ca=ca, jwks=jwks, vkey=vkey, say=said.append) == verify.ALL_GOOD
    assert "second channel" not in said[-1]


EXPECTED = {
    "manifest.json": {"manifest signature (CMS)", "manifest signature (JWS)"},
    "manifest.json.p7s": {"manifest signature (CMS)"},
    "manifest.json.jws": {"manifest signature (JWS)"},
    "payout.csv": {"payout.csv signature (CMS)", "files"},
    "payout.csv.p7s": {"payout.csv signature (CMS)"},
    "release.tlog-proof": {"release in the log"},
    "release.leaf": {"release in the log"},
    "release.payload.json": {"release entry"},
    "release.salt.hex": {"release entry"},
}


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_a_missing_emptied_shortened_replaced_or_flipped_file_fails_its_checks(folder: Path, name: str) -> None:
    path, dice = folder / name, random.Random(7)
    good = path.read_bytes()
    damages = [b"", good[:-2], good + b"x", good[: len(good) // 2], b"\x00" * 40, b"\xff\xfe", b"[" * 50_000, b"null"]
    # Of the checkpoint, only the line of the given key counts; the line after it belongs to a key that nobody gave.
    counts = good.index(b"\n", good.index("— ".encode())) if name == "release.tlog-proof" else len(good)
    for place in dice.sample(range(counts), min(12, counts)):
        damages.append(good[:place] + bytes([good[place] ^ 0x01]) + good[place + 1 :])
    path.unlink()
    assert EXPECTED[name] <= failed(folder)
    path.mkdir()
    assert EXPECTED[name] <= failed(folder)
    path.rmdir()
    for damage in damages:
        path.write_bytes(damage)
        found = verify.verify_folder(folder)
        wrong = {check.name for check in found if not check.ok}
        # Of a CMS signature, a list of algorithms is neither signed nor read; everywhere else one bit is enough.
        assert EXPECTED[name] <= wrong or (name.endswith(".p7s") and len(damage) == len(good)), damage[:60]
        assert all(check.detail and check.fix for check in found if not check.ok)


def test_lines_that_a_signature_covers_are_still_checked(
    tmp_path: Path, folder: Path, signer: DevelopmentSigner, honest: dict[str, bytes]
) -> None:
    body = json.loads(honest["manifest.json"])

    def other(csv: bytes, **changes: object) -> set[str]:
        body["files"][0] |= {"size": len(csv), "sha256": sha256(csv).hexdigest()}
        manifest = canonical_json(body | changes)
        return failed(lay(folder.parent / uuid4().hex, signed(signer, csv, manifest)))

    assert other(CSV) == set()
    assert other(CSV.replace(b"60.00", b"60.01")) == {"lines and totals"}
    assert other(CSV.replace(b"L000002", b"L000001")) == {"lines and totals"}
    assert other(CSV.replace(b"00010002", b"=CMD()")) == {"lines and totals"}
    assert other(CSV.replace(b"\r\n", b"\n")) == {"lines and totals"}
    assert other(CSV[:-90]) == {"lines and totals"}
    assert "manifest" in other(CSV, environment="nowhere")
    assert "manifest" in other(CSV, surprise=1)
    assert "files" in other(CSV, files=[])
    assert "release in the log" in other(CSV, audit=body["audit"] | {"origin": "dev.invalid/audit/2025"})
    assert "release in the log" in other(CSV, audit=body["audit"] | {"checkpoint_size": 4})


def test_a_manifest_in_another_spelling_is_refused_even_when_it_is_signed(
    folder: Path, signer: DevelopmentSigner, honest: dict[str, bytes]
) -> None:
    spaced = json.dumps(json.loads(honest["manifest.json"])).encode()
    assert "manifest" in failed(lay(folder.parent / "43", signed(signer, CSV, spaced)))


def test_a_true_proof_of_something_else_is_refused(
    folder: Path, signer: DevelopmentSigner, honest: dict[str, bytes]
) -> None:
    for number, proof in enumerate(
        [
            release(signer, "00" * 32),
            release(signer, sha256(honest["manifest.json"]).hexdigest(), ty="payout.approved/v1"),
        ]
    ):
        assert failed(lay(folder.parent / f"o{number}", honest | proof)) == {"release entry"}


def test_a_folder_signed_with_a_strangers_keys_fails_every_signature(folder: Path, tmp_path: Path) -> None:
    stranger = DevelopmentSigner(tmp_path / "other", environment="test")
    (tmp_path / "payout-ca.pem").write_bytes(stranger.payout_ca_pem)
    (tmp_path / "jwks.json").write_text(json.dumps(stranger.jwks()))
    (tmp_path / "log.vkey").write_text(stranger.vkey(ORIGIN))
    assert failed(folder) == {
        "manifest signature (CMS)",
        "manifest signature (JWS)",
        "payout.csv signature (CMS)",
        "release in the log",
    }


@pytest.mark.parametrize("name", ["payout-ca.pem", "jwks.json", "log.vkey"])
@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"{}", b'{"keys":[null]}', b"a+b+c"])
def test_a_broken_key_file_is_a_failed_check(folder: Path, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert verify.run(folder, say=lambda _: None) == verify.SOMETHING_FAILED


def test_certificates_hold_only_in_their_lifetime(folder: Path) -> None:
    late = verify.verify_folder(folder, at=datetime.now(UTC) + timedelta(days=4_000))
    assert {check.name for check in late if not check.ok} == {"manifest signature (CMS)", "payout.csv signature (CMS)"}


def test_what_is_not_a_folder_cannot_be_checked(tmp_path: Path) -> None:
    said: list[str] = []
    assert verify.run(tmp_path / "nowhere", say=said.append) == verify.NOTHING_TO_CHECK
    assert "is not a folder" in said[0]
    (tmp_path / "empty").mkdir()
    assert verify.run(tmp_path / "empty", say=said.append) == verify.SOMETHING_FAILED


def test_words_from_a_hostile_file_do_not_steer_the_terminal(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"\x1b[2J":1}'.replace("\x1b", "\\u001b"))
    said: list[str] = []
    verify.run(folder, say=said.append)
    assert all(line.isprintable() for line in said)


def test_the_commands_of_a_receiver_accept_the_same_folder(folder: Path, tmp_path: Path) -> None:
    """What a receiver does with openssl and a shell, without our program."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed; the same signatures are checked above")
    script = r"""
set -eu
for file in manifest.json payout.csv; do
  openssl cms -verify -binary -inform DER -in $file.p7s -content $file -CAfile $KEYS/payout-ca.pem -signer signer.pem \
    -out /dev/null
done
openssl x509 -in signer.pem -noout -subject -fingerprint -sha256
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'
  cut -d+ -f3- $KEYS/log.vkey | openssl base64 -d -A | tail -c 32; } | openssl pkey -pubin -inform DER -out log.pub.pem
sed '1,/^$/d' release.tlog-proof > checkpoint
awk '/^$/{exit} {print}' checkpoint > text
start=$(printf '%s' "$(cut -d+ -f2 $KEYS/log.vkey)" | sed 's/../\\x&/g')
prefix=$(printf "$start" | openssl base64 -A | cut -c1-5)
sed -n "s|^— dev.invalid/audit/2026 \($prefix.*\)$|\1|p" checkpoint | openssl base64 -d -A | tail -c +5 > sig
openssl pkeyutl -verify -pubin -inkey log.pub.pem -rawin -in text -sigfile sig
c=$(openssl mac -digest SHA256 -macopt hexkey:$(cat release.salt.hex) -in release.payload.json HMAC | tr A-F a-f)
grep -q "\"c\":\"$c\"" release.leaf
sha=$(sha256sum payout.csv | cut -c1-64)
grep -q "\"sha256\":\"$sha\"" manifest.json
"""
    environment = {**os.environ, "KEYS": str(tmp_path)}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "NOT FOR PAY" in done.stdout
