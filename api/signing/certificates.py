"""The certificates behind payout signatures: an authority that issues payout signers and nothing else.

Decides: names, lifetimes and uses. openssl expects `emailProtection` for CMS signers by default, so the signer carries
it. Source: RFC 5280. Lifetimes in days.
"""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from api.signing.keys import Key, Purpose

DEVELOPMENT_NAME = "DEVELOPMENT, NOT FOR PAY"
LIFETIME_DAYS = 1_825
CLOCK_SKEW_HOURS = 1


def payout_authority(key: Key, at: datetime) -> x509.Certificate:
    """The self-signed certificate that receivers pin."""
    name = _name(f"Evenhand payout CA ({DEVELOPMENT_NAME})")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public)
    return (
        _draft(name, name, key, at)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(issues=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key.private_for(Purpose.PAYOUT_CA), SHA256())
    )


def payout_signer(key: Key, authority: x509.Certificate, authority_key: Key, at: datetime) -> x509.Certificate:
    """The certificate of the key that signs manifests and lines."""
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public)
    return (
        _draft(_name(DEVELOPMENT_NAME), authority.subject, key, at)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(issues=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key.private_for(Purpose.PAYOUT_CA), SHA256())
    )


def _draft(subject: x509.Name, issuer: x509.Name, key: Key, at: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(hours=CLOCK_SKEW_HOURS))
        .not_valid_after(at + timedelta(days=LIFETIME_DAYS))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issues,
        crl_sign=issues,
        encipher_only=False,
        decipher_only=False,
    )
