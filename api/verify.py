"""The offline check of a payout folder, as the receiver or an auditor would do it: files and published keys only.

Decides: whether a folder holds what payroll may process. Signatures are checked on the bytes before anything is read
from them; then form, file hashes, lines and totals; then that the release stands in the signed log and names exactly
this manifest. No database, no network.
Not decided: whether the folder is the next one of its receiver, whether lines came before, whether it has expired; the
receiver knows that, and the shown sequence, receiver and dates are what to compare.
Refuses nothing by exception: a file in any shape, however broken, gives a failed check in words.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import jsonschema
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from api.signing.checkpoints import line_check
from api.signing.cms import verify_cms
from api.signing.jws import verify_jws
from engine import notes, payfile
from engine.canonical import canonical_json
from engine.leaf import commitment, parse_leaf
from engine.merkle import leaf_hash, verify_inclusion
from engine.money import CURRENCY_DIGITS
from engine.refusal import Code, Refused

ALL_GOOD, SOMETHING_FAILED, NOTHING_TO_CHECK = 0, 1, 2
CA_NAME, JWKS_NAME, VKEY_NAME = "payout-ca.pem", "jwks.json", "log.vkey"
RELEASE_TYPE = "payout.released/v1"
# A folder stands at payouts/<receiver>/<sequence>/ and the keys may stand beside `payouts`.
LEVELS_ABOVE = 3
_SALT = re.compile(r"[0-9a-f]{64}\n?")
KEY_NOTE = (
    "note: keys that lie beside the files prove only that nothing was changed on the way; compare them with those that"
    " you received over a second channel"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One question about the folder and its answer."""

    name: str
    ok: bool
    detail: str
    fix: str = ""

    def __str__(self) -> str:
        text = f"{'ok    ' if self.ok else 'FAILED'}  {self.name}: {self.detail}{' ' if self.fix else ''}{self.fix}"
        # What comes out of a hostile file must not steer the terminal that shows it.
        return "".join(letter if letter.isprintable() else "?" for letter in text)


class Folder:
    """The files of one payout, and the keys to check them with."""

    def __init__(self, path: Path, ca: Path | None, jwks: Path | None, vkey: Path | None, at: datetime) -> None:
        self.path = path
        self.at = at
        self._given = {CA_NAME: ca, JWKS_NAME: jwks, VKEY_NAME: vkey}

    def read(self, name: str) -> bytes:
        return _content(self.path / name)

    def key(self, name: str) -> bytes:
        """A key file: the given one, or the nearest beside or above the folder."""
        places = [self.path, *self.path.resolve().parents[:LEVELS_ABOVE]]
        found = self._given[name] or next((each / name for each in places if (each / name).is_file()), None)
        if found is None:
            raise _failed(f"there is no {name} to check with.", "Give its path, or put it beside the folder.")
        return _content(found)

    @property
    def keys_are_given(self) -> bool:
        return all(self._given.values())

    @cached_property
    def authority(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.key(CA_NAME))

    @cached_property
    def manifest_bytes(self) -> bytes:
        return self.read("manifest.json")

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest, once it meets its schema and is spelled canonically."""
        body = json.loads(self.manifest_bytes)
        contract = json.loads(resources("schema").joinpath("contracts/payout-manifest.schema.json").read_text())
        wrong = jsonschema.Draft202012Validator(contract).iter_errors(body)
        for each in sorted(wrong, key=lambda error: [str(step) for step in error.absolute_path]):
            raise _failed(f"{each.json_path} does not meet the schema: {each.message[:160]}.", "Fetch the file again.")
        if canonical_json(body) != self.manifest_bytes:
            raise _failed("the manifest is not in its canonical spelling.", "Fetch the file again, byte for byte.")
        return dict(body)


def verify_folder(
    folder: Path,
    *,
    ca: Path | None = None,
    jwks: Path | None = None,
    vkey: Path | None = None,
    at: datetime | None = None,
) -> list[Check]:
    """Every check, in the order in which a receiver relies on them. Certificates must hold at the time `at`."""
    return list(_checks(Folder(folder, ca, jwks, vkey, at or datetime.now(UTC))))


def run(
    folder: Path,
    *,
    ca: Path | None = None,
    jwks: Path | None = None,
    vkey: Path | None = None,
    at: datetime | None = None,
    say: Callable[[str], None] = print,
) -> int:
    """Say one line for each check. 0: all good; 1: something failed; 2: there is nothing to check."""
    if not folder.is_dir():
        say(f"{folder} is not a folder. Give the folder of one payout, with its manifest.json.")
        return NOTHING_TO_CHECK
    checks = verify_folder(folder, ca=ca, jwks=jwks, vkey=vkey, at=at)
    for check in checks:
        say(str(check))
    if not Folder(folder, ca, jwks, vkey, datetime.now(UTC)).keys_are_given:
        say(KEY_NOTE)
    failed = sum(not check.ok for check in checks)
    say(
        f"{failed} of {len(checks)} checks FAILED: do not process this payout" if failed else f"{len(checks)} checks ok"
    )
    return SOMETHING_FAILED if failed else ALL_GOOD


def _checks(folder: Folder) -> Iterator[Check]:
    for name, check in CHECKS.items():
        try:
            yield Check(name, True, check(folder))
        except Refused as no:
            yield Check(name, False, no.what, no.fix)
        except Exception as wrong:  # whatever a hostile file provokes in a parser is a failed check, never a traceback
            what = f"it cannot be read ({type(wrong).__name__}: {str(wrong)[:160]})."
            yield Check(name, False, what, "Fetch the files again.")


def _manifest_cms(folder: Folder) -> str:
    return _cms(folder, "manifest.json")


def _csv_cms(folder: Folder) -> str:
    return _cms(folder, payfile.CSV_NAME)


def _cms(folder: Folder, name: str) -> str:
    signer = verify_cms(folder.read(f"{name}.p7s"), folder.read(name), folder.authority, folder.at)
    return (
        f"signed by {signer.subject.rfc4514_string()}, SHA-256 fingerprint {signer.fingerprint(SHA256()).hex()}, issued"
        f" by the CA with {folder.authority.fingerprint(SHA256()).hex()}"
    )


def _manifest_jws(folder: Folder) -> str:
    jws = folder.read("manifest.json.jws").decode("ascii")
    return f"signed with the key {verify_jws(jws, folder.manifest_bytes, json.loads(folder.key(JWKS_NAME)))}"


def _form(folder: Folder) -> str:
    body = folder.manifest
    pay = "" if body["environment"] == "production" else ", NOT FOR PAY"
    return (
        f"file {body['sequence']} from {body['issuer']} for {body['receiver']}, environment {body['environment']}{pay},"
        f" pay date {body['pay_date']}, expires {body['expires_at']}"
    )


def _hashes(folder: Folder) -> str:
    listed = folder.manifest["files"]
    for each in listed:
        content = folder.read(each["name"] if each["role"] == "canonical" else f"native/{each['name']}")
        if (len(content), sha256(content).hexdigest()) != (each["size"], each["sha256"]):
            raise _failed(f"{each['name']} is not the file that the manifest names.", "Fetch it again.")
    if [each["name"] for each in listed if each["role"] == "canonical"] != [payfile.CSV_NAME]:
        raise _failed(f"the manifest does not name {payfile.CSV_NAME} once.", "Ask for a new payout file.")
    return f"{len(listed)} as the manifest names them"


def _totals(folder: Folder) -> str:
    lines = payfile.read_csv(folder.read(payfile.CSV_NAME), CURRENCY_DIGITS)
    counted = json.loads(canonical_json(payfile.controls(lines, CURRENCY_DIGITS)))
    if counted != folder.manifest["controls"]:
        raise _failed("the lines do not add up to the control totals of the manifest.", "Ask for a new payout file.")
    sums = ", ".join(
        f"{payfile.amount_text(int(each['net_minor']), each['exponent'])} {each['currency']}"
        for each in counted["by_currency"]
    )
    return f"{len(lines)} valid lines, each number once, net {sums}"


def _release_in_log(folder: Folder) -> str:
    keys = [notes.parse_vkey(line) for line in folder.key(VKEY_NAME).decode().splitlines() if line.strip()]
    proof = notes.parse_proof(folder.read("release.tlog-proof").decode())
    note = notes.parse_note(proof.checkpoint)
    for key in keys:
        notes.verify_note(note, key, line_check(key.kind))
    head = notes.parse_checkpoint(note.text)
    audit = folder.manifest["audit"]
    if not keys or {head.origin, *(key.name for key in keys)} != {audit["origin"]}:
        raise _failed(
            f"checkpoint and log key are not those of {audit['origin']}.", "Fetch the proof and the key again."
        )
    verify_inclusion(leaf_hash(folder.read("release.leaf")), proof.index, head.size, proof.hashes, head.root)
    if proof.index < audit["checkpoint_size"]:
        raise _failed("the release stands in the log before what the manifest builds on.", "Ask for a new payout file.")
    return f"entry {proof.index} of {head.size} in {head.origin}, root {head.root.hex()}"


def _release_content(folder: Folder) -> str:
    leaf = parse_leaf(folder.read("release.leaf"))
    salt_hex = folder.read("release.salt.hex").decode("ascii")
    if not _SALT.fullmatch(salt_hex):
        raise _failed("the salt is not 64 hex digits.", "Fetch it again.")
    salt = bytes.fromhex(salt_hex)
    payload = folder.read("release.payload.json")
    if commitment(salt, payload) != leaf.commitment:
        raise _failed("payload and salt do not fit the logged commitment.", "Fetch them again.")
    if leaf.ty != RELEASE_TYPE:
        raise _failed(f"the logged entry is a {leaf.ty}, not a release.", "Fetch the proof of this payout.")
    if json.loads(payload)["data"]["manifest_sha256"] != sha256(folder.manifest_bytes).hexdigest():
        raise _failed("the logged release names another manifest.", "Fetch the proof of this payout.")
    return f"released at {leaf.at:%Y-%m-%dT%H:%M:%SZ}, names this manifest"


CHECKS: dict[str, Callable[[Folder], str]] = {
    "manifest signature (CMS)": _manifest_cms,
    "manifest signature (JWS)": _manifest_jws,
    "payout.csv signature (CMS)": _csv_cms,
    "manifest": _form,
    "files": _hashes,
    "lines and totals": _totals,
    "release in the log": _release_in_log,
    "release entry": _release_content,
}


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise _failed(f"{path.name} is missing.", "Fetch the whole folder again.")
    return path.read_bytes()


def _failed(what: str, fix: str) -> Refused:
    return Refused(Code.PROOF_INVALID, what, fix)
