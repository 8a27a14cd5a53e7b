"""Payroll, as the demonstration plays it: pull over HTTP, check offline, acknowledge with a key of its own.

What it writes below `out/` is what any receiver would hold: the files, the authority's certificate, the key set and the
log's key. A receiver that checks nothing would be paid wrongly; this one refuses a folder that does not verify.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import OKPKey

from api.signing.folder import once, open_folder
from engine.canonical import canonical_json
from engine.leaf import utc_text


def receiver_key(home: Path, receiver: str) -> OKPKey:
    """The receiver's own key; its public half is registered with us."""

    def fresh() -> bytes:
        private = Ed25519PrivateKey.generate()
        return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    pem = once(open_folder(home / "keys" / "receivers") / f"{receiver}.key.pem", fresh)
    key = OKPKey.import_key(pem)
    public = orjson.dumps({"keys": [key.as_dict(private=False) | {"kid": key.thumbprint()}]})
    once(home / "keys" / "receivers" / f"{receiver}.jwks.json", lambda: public)
    return key


async def fetch(client: httpx.AsyncClient, token: str, receiver: str, sequence: int, folder: Path) -> str:
    """Pull every file of a payout into a folder. Returns the state that it had before."""
    headers = {"Authorization": f"Bearer {token}"}
    base = f"/payouts/{receiver}/{sequence}"
    listed = await client.get(f"{base}/", headers=headers)
    listed.raise_for_status()
    found = listed.json()
    open_folder(folder)
    for name in found["files"]:
        answer = await client.get(f"{base}/{name}", headers=headers)
        answer.raise_for_status()
        (folder / name).write_bytes(answer.content)
    return str(found["state"])


async def acknowledge(
    client: httpx.AsyncClient, token: str, key: OKPKey, manifest: bytes, stage: str, now: datetime
) -> Mapping[str, Any]:
    """Say `accepted` or `paid` for a whole file. The same words under the same key count once."""
    said = orjson.loads(manifest)
    totals = [
        {"currency": each["currency"], "records": each["records"], "net_minor": each["net_minor"]}
        for each in said["controls"]["by_currency"]
    ]
    body = {
        "v": 1,
        "type": "evenhand-payout-ack/v1",
        "receiver": said["receiver"],
        "file_id": said["file_id"],
        "sequence": said["sequence"],
        "manifest_sha256": sha256(manifest).hexdigest(),
        "stage": stage,
        "at": utc_text(now.replace(microsecond=0)),
        "default_status": stage,
        "exceptions": [],
        "totals": totals,
    }
    signed = jws.serialize_compact(
        {"alg": "Ed25519", "kid": key.thumbprint()}, canonical_json(body), key, algorithms=["Ed25519"]
    )
    answer = await client.post(
        f"/payouts/{said['receiver']}/{said['sequence']}/acks",
        content=signed.encode(),
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/jose",
            "Idempotency-Key": str(uuid5(NAMESPACE_URL, f"{said['file_id']}:{stage}")),
        },
    )
    answer.raise_for_status()
    result: Mapping[str, Any] = answer.json()
    return result
