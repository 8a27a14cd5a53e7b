"""Signatures against the published vectors and against programs that share no code with us: openssl and joserfc."""

import logging
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws as jose
from joserfc.jwk import KeySet

from api.signing import http
from api.signing.checkpoints import line_check
from api.signing.cms import verify_cms
from api.signing.development import DevelopmentSigner
from api.signing.folder import open_folder, open_key
from api.signing.jws import jws_detached, verify_jws
from api.signing.keys import Algorithm, Key, Purpose, b64u, has_ml_dsa, verifies
from engine.notes import KeyKind, parse_checkpoint, parse_note, parse_vkey, verify_note
from engine.refusal import Code, Refused
from tests.engine.test_payfile import CSV, vector_manifest

ORIGIN = "dev.invalid/audit/2026"
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
VECTOR_JWS = (
    "eyJhbGciOiJFZDI1NTE5IiwiY3R5IjoianNvbiIsImtpZCI6IkhsSGdDY2pyaGJleXc4MFZNZWY1MXlQd2h5UnFqaXdMZHdTTFJxbzdoU0kiLCJ0eXAi"
    "OiJKT1NFIn0..WiSKG8zek2LkelfdWHrn3UPNPhpEvYgY7SevGWQZ6B1N_oxpaUJqUyqpEwFljhf5DwSyfllvaW2Ni1KDsVjJDg"
)


def seeded(purpose: Purpose, first: int) -> Key:
    return Key(purpose, Ed25519PrivateKey.from_private_bytes(bytes(range(first, first + 32))))


class OneKey:
    """A signer of the published seeds."""

    def __init__(self, key: Key) -> None:
        self._key = key

    def kid(self, purpose: Purpose) -> str:
        return self._key.kid

    def sign(self, purpose: Purpose, message: bytes) -> bytes:
        return self._key.sign(purpose, message)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentSigner:
    return DevelopmentSigner(tmp_path_factory.mktemp("home") / "keys", environment="development")


def openssl(folder: Path, arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *arguments.split()], cwd=folder, input=stdin, capture_output=True)


def test_the_published_jws_byte_for_byte() -> None:
    key = seeded(Purpose.PAYOUT_JWS, 0x60)
    assert key.jwk()["x"] == "F0VTtFbd38aQjsqxwQH-arIeK6oGF3lbfUOmNIKZP9U"
    assert key.kid == "HlHgCcjrhbeyw80VMef51yPwhyRqjiwLdwSLRqo7hSI"
    assert jws_detached(vector_manifest(), key) == VECTOR_JWS


def test_the_published_signature_of_a_download() -> None:
    key = seeded(Purpose.HTTP, 0x80)
    target = "https://evenhand.example/payouts/payroll-de-01/42/payout.csv"
    answer = http.Answer(200, CSV, CSV, "text/csv; charset=utf-8; header=present", 42, "GET", target)
    headers = http.signed_headers(answer, OneKey(key), 1_795_251_900)
    digest = "sha-256=:FgvjPbJHn2pDQupuYGGNWqdzVaUzS0TP1CLlxnkXA9A=:"
    assert headers["content-digest"] == headers["repr-digest"] == digest
    assert headers["signature"] == (
        "payout=:pgqvsZtqhD7aerDMBcSAZ68cRDg5LoDdjV4X1HZ7av8QrLYaJbJ3hsyoVGwAOcr0H+hKD7ZCfeP0vEMsGmQqDw==:"
    )
    assert headers["signature-input"] == (
        'payout=("@status" "content-digest" "repr-digest" "content-type" "payout-sequence" "@method";req '
        '"@target-uri";req);created=1795251900;keyid="qI__BOccgAhhH9wob_G7gFVHLKIkS4CutvoSx0bMCY8";alg="ed25519";'
        'tag="evenhand-payout"'
    )


@pytest.mark.parametrize("content", [CSV, vector_manifest()], ids=["csv", "manifest"])
def test_openssl_accepts_the_cms_signature_and_refuses_one_flipped_byte(
    signer: DevelopmentSigner, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "payout-ca.pem").write_bytes(signer.payout_ca_pem)
    (tmp_path / "file.p7s").write_bytes(signer.cms_detached(content))
    command = "cms -verify -binary -inform DER -in file.p7s -content file -CAfile payout-ca.pem -signer signer.pem"
    (tmp_path / "file").write_bytes(content)
    assert openssl(tmp_path, command).returncode == 0
    assert b"DEVELOPMENT, NOT FOR PAY" in openssl(tmp_path, "x509 -in signer.pem -noout -subject").stdout
    (tmp_path / "file").write_bytes(content[:9] + bytes([content[9] ^ 1]) + content[10:])
    assert openssl(tmp_path, command).returncode != 0


def test_openssl_accepts_the_jws_and_refuses_one_flipped_byte(signer: DevelopmentSigner, tmp_path: Path) -> None:
    manifest = vector_manifest()
    header, _, signature = signer.jws_detached(manifest).split(".")
    jwk = signer.jwks()["keys"][0]
    public = Key.public.fget(signer._keys[Purpose.PAYOUT_JWS])  # type: ignore[attr-defined]
    (tmp_path / "jws.pub.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert jwk["x"] == b64u(public.public_bytes_raw())
    padded = signature.replace("-", "+").replace("_", "/") + "=="
    (tmp_path / "sig").write_bytes(openssl(tmp_path, "base64 -d -A", padded.encode()).stdout)
    command = "pkeyutl -verify -pubin -inkey jws.pub.pem -rawin -in input -sigfile sig"
    (tmp_path / "input").write_text(f"{header}.{b64u(manifest)}")
    assert openssl(tmp_path, command).returncode == 0
    (tmp_path / "input").write_text(f"{header}.{b64u(b'x' + manifest)}")
    assert openssl(tmp_path, command).returncode != 0


def test_a_jose_library_accepts_the_jws_with_the_published_key_set(signer: DevelopmentSigner) -> None:
    manifest = vector_manifest()
    header, _, signature = signer.jws_detached(manifest).split(".")
    keys = KeySet.import_key_set(signer.jwks())  # type: ignore[arg-type]
    read = jose.deserialize_compact(f"{header}.{b64u(manifest)}.{signature}", keys, algorithms=["Ed25519"])
    assert read.payload == manifest
    assert verify_jws(signer.jws_detached(manifest), manifest, signer.jwks()) == signer.kid(Purpose.PAYOUT_JWS)


def test_a_token_is_read_by_a_jose_library(signer: DevelopmentSigner) -> None:
    keys = KeySet.import_key_set(signer.jwks(Purpose.ISSUER))  # type: ignore[arg-type]
    token = signer.token(Purpose.ISSUER, {"sub": "p-1", "aud": "evenhand"})
    assert jose.deserialize_compact(token, keys, algorithms=["ES256"]).payload == b'{"aud":"evenhand","sub":"p-1"}'


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_a_flipped_byte_of_a_cms_signature_is_refused(signer: DevelopmentSigner) -> None:
    good = signer.cms_detached(CSV)
    authority = x509.load_pem_x509_certificate(signer.payout_ca_pem)
    now = datetime.now(UTC)
    accepted = []
    for place in range(len(good)):
        try:
            verify_cms(good[:place] + bytes([good[place] ^ 0x41]) + good[place + 1 :], CSV, authority, now)
            accepted.append(place)
        except Refused as no:
            assert no.code is Code.SIGNATURE_INVALID  # noqa: PT017 - any other exception is the failure sought here
    # Only algorithm lists that are neither signed nor needed may differ: 17 bytes outside, NULL after SHA-256 within.
    assert len(accepted) <= 18
    assert max(accepted[:15]) < 45
    for end in (0, 1, 10, len(good) // 2, len(good) - 1):
        with pytest.raises(Refused):
            verify_cms(good[:end], CSV, authority, now)


def test_a_cms_signature_by_a_stranger_or_outside_its_lifetime_is_refused(
    signer: DevelopmentSigner, tmp_path: Path
) -> None:
    now, signature = datetime.now(UTC), signer.cms_detached(CSV)
    own = x509.load_pem_x509_certificate(signer.payout_ca_pem)
    stranger = DevelopmentSigner(tmp_path / "keys", environment="test")
    with pytest.raises(Refused, match="not issued by"):
        verify_cms(signature, CSV, x509.load_pem_x509_certificate(stranger.payout_ca_pem), now)
    for at in (now - timedelta(days=1), now + timedelta(days=2_000)):
        with pytest.raises(Refused, match="valid from"):
            verify_cms(signature, CSV, own, at)
    with pytest.raises(Refused, match="does not fit"):
        verify_cms(signature, CSV + b" ", own, now)


@pytest.mark.parametrize(
    "jws", ["", "..", "a.b.c", "e30..AA", VECTOR_JWS.replace("..", ".e30."), VECTOR_JWS[:-2] + "Dh"]
)
def test_what_is_not_a_detached_jws_of_a_known_key_is_refused(jws: str) -> None:
    key = seeded(Purpose.PAYOUT_JWS, 0x60)
    keys = {"keys": [{**key.jwk(), "kid": key.kid}]}
    assert verify_jws(VECTOR_JWS, vector_manifest(), keys) == key.kid
    with pytest.raises(Refused) as no:
        verify_jws(jws, vector_manifest(), keys)
    assert no.value.code is Code.SIGNATURE_INVALID


def test_a_jws_over_other_bytes_is_refused() -> None:
    key = seeded(Purpose.PAYOUT_JWS, 0x60)
    keys = {"keys": [{**key.jwk(), "kid": key.kid}]}
    forged = f"{VECTOR_JWS.partition('..')[0]}..{b64u(bytes(64))}"
    for jws, content in ((VECTOR_JWS, vector_manifest() + b" "), (VECTOR_JWS, b""), (forged, vector_manifest())):
        with pytest.raises(Refused, match="does not fit the file"):
            verify_jws(jws, content, keys)


def test_a_revoked_or_unknown_key_and_a_broken_key_set_are_refused() -> None:
    key = seeded(Purpose.PAYOUT_JWS, 0x60)
    revoked = {"keys": [{**key.jwk(), "kid": key.kid, "evenhand_status": "revoked"}]}
    wrong: list[Any] = [revoked, {"keys": []}, {}, {"keys": [{"kid": key.kid}]}, {"keys": [1]}]
    for keys in wrong:
        with pytest.raises(Refused):
            verify_jws(VECTOR_JWS, vector_manifest(), keys)


def test_a_checkpoint_carries_a_good_line_of_each_log_key(signer: DevelopmentSigner) -> None:
    note = parse_note(signer.sign_checkpoint(ORIGIN, 7, b"\x07" * 32, NOW))
    head = parse_checkpoint(note.text)
    assert (head.origin, head.size, head.root) == (ORIGIN, 7, b"\x07" * 32)
    keys = [parse_vkey(text) for text in signer.vkeys(ORIGIN)]
    assert len(note.lines) == len(keys) == (2 if has_ml_dsa() else 1)
    assert keys[0].kind is KeyKind.ED25519
    for key in keys:
        verify_note(note, key, line_check(key.kind))
    changed = parse_note(signer.sign_checkpoint(ORIGIN, 7, b"\x07" * 32, NOW).replace("\n7\n", "\n8\n"))
    for key in keys:
        with pytest.raises(Refused):
            verify_note(changed, key, line_check(key.kind))


def test_a_checkpoint_without_ml_dsa_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.signing.development.has_ml_dsa", lambda: False)
    alone = DevelopmentSigner(tmp_path / "keys", environment="test")
    note = parse_note(alone.sign_checkpoint(ORIGIN, 1, b"\x01" * 32, NOW))
    verify_note(note, parse_vkey(alone.vkey(ORIGIN)), line_check(KeyKind.ED25519))
    assert len(note.lines) == len(alone.vkeys(ORIGIN)) == 1


def test_a_second_start_has_the_same_keys_and_certificates(tmp_path: Path) -> None:
    first = DevelopmentSigner(tmp_path / "keys", environment="development")
    before = {file.name: file.read_bytes() for file in (tmp_path / "keys").iterdir()}
    second = DevelopmentSigner(tmp_path / "keys", environment="development")
    assert first.vkeys(ORIGIN) == second.vkeys(ORIGIN)
    assert (first.jwks(), first.payout_ca_pem) == (second.jwks(), second.payout_ca_pem)
    assert {file.name: file.read_bytes() for file in (tmp_path / "keys").iterdir()} == before
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()} == {0o600}


def test_starters_at_the_same_moment_end_with_the_same_keys(tmp_path: Path) -> None:
    def start(_: int) -> tuple[list[str], bytes]:
        one = DevelopmentSigner(tmp_path / "keys", environment="test")
        one.cms_detached(CSV)
        return one.vkeys(ORIGIN), one.payout_ca_pem

    with ThreadPoolExecutor(4) as pool:
        (only,) = {(tuple(vkeys), pem) for vkeys, pem in pool.map(start, range(4))}
    assert only
    assert not [file for file in (tmp_path / "keys").iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize("environment", ["production", "prod", "", "Development"])
def test_the_development_signer_refuses_production_and_whatever_it_does_not_know(
    tmp_path: Path, environment: str
) -> None:
    with pytest.raises(Refused, match="does not run"):
        DevelopmentSigner(tmp_path / "keys", environment=environment)
    assert not (tmp_path / "keys").exists()


def test_the_development_signer_warns_and_names_nobodys_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="evenhand.signing"):
        own = DevelopmentSigner(tmp_path / "keys", environment="test")
    assert "NOT FOR PAY" in caplog.text
    assert own.environment == "development"
    with pytest.raises(Refused, match="do not sign for the log"):
        own.sign_checkpoint("evenhand.example/audit/2026", 1, bytes(32), NOW)


def test_a_key_refuses_another_purpose(tmp_path: Path) -> None:
    key = open_key(open_folder(tmp_path), Purpose.PAYOUT_JWS)
    for wrong in set(Purpose) - {Purpose.PAYOUT_JWS}:
        with pytest.raises(Refused) as no:
            key.sign(wrong, b"x")
        assert no.value.code is Code.ACCESS_DENIED
        with pytest.raises(Refused):
            key.private_for(wrong)


def test_a_signature_that_does_not_verify_never_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    key = seeded(Purpose.LOG, 0)
    assert verifies(Algorithm.ED25519, key.public, key.sign(Purpose.LOG, b"x"), b"x")
    other = Ed25519PrivateKey.generate().public_key()
    monkeypatch.setattr(Key, "public", property(lambda self: other))
    with pytest.raises(Refused, match="does not verify"):
        key.sign(Purpose.LOG, b"x")


def test_an_open_or_broken_key_file_is_refused_with_words(tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    open_key(folder, Purpose.LOG)
    path = folder / "log.key.pem"
    path.chmod(0o644)
    with pytest.raises(Refused, match="may be read by others"):
        open_key(folder, Purpose.LOG)
    path.chmod(0o600)
    path.write_bytes(b"not a key")
    with pytest.raises(Refused, match="is not a private key"):
        open_key(folder, Purpose.LOG)
    open_key(folder, Purpose.ISSUER)
    path.write_bytes((folder / "issuer.key.pem").read_bytes())
    with pytest.raises(Refused, match="is not an Ed25519 key"):
        open_key(folder, Purpose.LOG)
