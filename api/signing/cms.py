"""Detached CMS signatures: what `openssl cms -verify -binary` checks, made and checked here as well.

Decides: the form of `.p7s` files (RFC 5652: DER, detached, one ECDSA P-256 signer with SHA-256, certificate inside) and
whether one fits its content. Reading is written for exactly that form; another one is refused, not interpreted.
Refuses: a signature that does not fit, a signer that the payout authority did not issue, one outside its lifetime or
without the uses that mark a payout signer. There is no revocation list: another channel names a revoked signer.
"""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7Options,
    PKCS7SignatureBuilder,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from api.signing.keys import Key, Purpose
from engine.refusal import Code, Refused

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_DATA = bytes.fromhex("2a864886f70d010701")
_CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
_SHA_256 = bytes.fromhex("608648016503040201")
_ECDSA_SHA_256 = bytes.fromhex("2a8648ce3d040302")

_INTEGER, _OCTETS, _OID, _SEQUENCE, _SET, _CONTEXT_0 = 0x02, 0x04, 0x06, 0x30, 0x31, 0xA0

# What damaged certificates and structures raise while they are read.
_UNREADABLE = (
    ValueError,
    IndexError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class _Node(NamedTuple):
    tag: int
    body: bytes
    whole: bytes


_VERSION_1 = _Node(_INTEGER, b"\x01", b"\x02\x01\x01")


def cms_detached(content: bytes, key: Key, certificate: x509.Certificate) -> bytes:
    return (
        PKCS7SignatureBuilder()
        .set_data(content)
        .add_signer(certificate, key.private_for(Purpose.PAYOUT_CMS), SHA256())
        .sign(Encoding.DER, [PKCS7Options.DetachedSignature, PKCS7Options.Binary, PKCS7Options.NoCapabilities])
    )


def verify_cms(signature: bytes, content: bytes, authority: x509.Certificate, at: datetime) -> x509.Certificate:
    """The certificate of the signer, when the signature fits these bytes at this time; otherwise refuses."""
    try:
        certificate, attributes, value = _parts(signature)
        _require_attributes(attributes, content)
        public = certificate.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise ValueError("the signer does not have a P-256 key")
        # What is signed is the list of attributes under its own tag, not under the tag it has inside the signature.
        public.verify(value, bytes([_SET]) + attributes.whole[1:], ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise _bad("The signature does not fit the file.") from None
    except _UNREADABLE as wrong:
        raise _bad(f"The signature file is not one of ours ({wrong}).") from None
    _require_issued(certificate, authority, at)
    return certificate


def _parts(signature: bytes) -> tuple[x509.Certificate, _Node, bytes]:
    """Certificate, signed attributes and signature value of the single signer."""
    kind, wrapped = _inside(_only(signature), _SEQUENCE)
    (signed_data,) = _inside(wrapped, _CONTEXT_0)
    version, _, content, *certificates, signers = _inside(signed_data, _SEQUENCE)
    if (kind, version) != (_node(_OID, _SIGNED_DATA), _VERSION_1):
        raise ValueError("no signed data")
    if _inside(content, _SEQUENCE) != [_node(_OID, _DATA)]:
        raise ValueError("the content is inside the signature, or is not plain data")
    (only_signer,) = _inside(signers, _SET)
    version, signer, digest, attributes, algorithm, value = _inside(only_signer, _SEQUENCE)
    if version != _VERSION_1 or _inside(digest, _SEQUENCE)[0] != _node(_OID, _SHA_256):
        raise ValueError("no digest with SHA-256")
    if _inside(algorithm, _SEQUENCE)[0] != _node(_OID, _ECDSA_SHA_256) or value.tag != _OCTETS:
        raise ValueError("no ECDSA with SHA-256")
    held = [each for field in certificates for each in _inside(field, _CONTEXT_0)]
    return _certificate(held, signer), attributes, value.body


def _require_attributes(attributes: _Node, content: bytes) -> None:
    found: dict[bytes, list[_Node]] = {}
    for attribute in _inside(attributes, _CONTEXT_0):
        name, values = _inside(attribute, _SEQUENCE)
        if name.body in found:
            raise ValueError("an attribute stands twice")
        found[name.body] = _inside(values, _SET)
    if found.get(_CONTENT_TYPE) != [_node(_OID, _DATA)]:
        raise ValueError("the attributes do not name plain data")
    if found.get(_MESSAGE_DIGEST) != [_node(_OCTETS, sha256(content).digest())]:
        raise InvalidSignature


def _certificate(held: list[_Node], signer: _Node) -> x509.Certificate:
    issuer, serial = _inside(signer, _SEQUENCE)
    for each in held:
        certificate = x509.load_der_x509_certificate(each.whole)
        if (serial.tag, certificate.serial_number) == (_INTEGER, int.from_bytes(serial.body, "big")) and (
            certificate.issuer.public_bytes() == issuer.whole
        ):
            return certificate
    raise ValueError("the certificate of the signer is missing")


def _require_issued(certificate: x509.Certificate, authority: x509.Certificate, at: datetime) -> None:
    try:
        certificate.verify_directly_issued_by(authority)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        issues = authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (InvalidSignature, *_UNREADABLE):
        raise _bad("The signer's certificate was not issued by the given payout CA.") from None
    if not issues or not usage.digital_signature or ExtendedKeyUsageOID.EMAIL_PROTECTION not in uses:
        raise _bad("The certificate is not one of a payout signer.")
    for each in (certificate, authority):
        if not each.not_valid_before_utc <= at <= each.not_valid_after_utc:
            name, first, last = each.subject.rfc4514_string(), each.not_valid_before_utc, each.not_valid_after_utc
            raise _bad(f"The certificate {name} is valid from {first:%Y-%m-%d} to {last:%Y-%m-%d} only.")


def _only(data: bytes) -> _Node:
    (node,) = _nodes(data)
    return node


def _inside(node: _Node, tag: int) -> list[_Node]:
    """What a value of this tag is made of."""
    if node.tag != tag:
        raise ValueError(f"tag {node.tag:#x} stands where {tag:#x} belongs")
    return list(_nodes(node.body))


def _node(tag: int, body: bytes) -> _Node:
    """A short value, as it would be read."""
    return _Node(tag, body, bytes([tag, len(body)]) + body)


def _nodes(data: bytes) -> Iterator[_Node]:
    """The DER values that stand one after the other in these bytes."""
    at = 0
    while at < len(data):
        start, tag, length = at, data[at], data[at + 1]
        at += 2
        if length > 0x80:
            more = length & 0x7F
            length = int.from_bytes(data[at : at + more], "big")
            if more > 4 or length < 0x80 or length.bit_length() <= 8 * (more - 1):
                raise ValueError("a length is not in its shortest form")
            at += more
        elif length == 0x80:
            raise ValueError("a length is open")
        if at + length > len(data):
            raise ValueError("it ends too early")
        yield _Node(tag, data[at : at + length], data[start : at + length])
        at += length


def _bad(what: str) -> Refused:
    return Refused(
        Code.SIGNATURE_INVALID, what, "Do not process the file; fetch it again and compare the CA's fingerprint."
    )
