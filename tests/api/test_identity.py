"""Bearer tokens: each one wrong in exactly one thing is refused, and its intact twin is taken."""

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from api import identity
from api.house import House
from api.signing.keys import Purpose, b64u
from engine.refusal import Code, Refused
from tests.api.small_house import NOW, person

AT = int(NOW.timestamp())


class Forge:
    """Writes tokens with the issuer's own key, so that the signature is right and one other thing is wrong."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.trust = identity.access_trust(house.signer)
        self.kid = house.signer.kid(Purpose.ISSUER)

    def claims(self) -> dict[str, Any]:
        return {
            "iss": identity.ISSUER, "aud": identity.AUDIENCE, "iat": AT, "exp": AT + 3600, "sub": str(person("ana")),
            "jti": "1",
        }  # fmt: skip

    def header(self) -> dict[str, Any]:
        return {"alg": "ES256", "kid": self.kid, "typ": "at+jwt"}

    def token(self, header: Any = None, claims: Any = None) -> str:
        raw = [
            part if isinstance(part, bytes) else json.dumps(part).encode()
            for part in (header or self.header(), claims or self.claims())
        ]
        message = ".".join(b64u(part) for part in raw)
        return f"{message}.{b64u(self.house.signer.sign(Purpose.ISSUER, message.encode()))}"

    def taken(self, token: str) -> bool:
        try:
            identity.verify(token, self.trust, NOW)
        except Refused as no:
            if (no.code, str(no)) != (Code.UNAUTHENTICATED, str(identity.unauthenticated())):
                raise  # the answer must not say why
            return False
        return True


@pytest.fixture(scope="module")
def forge(house: House) -> Forge:
    return Forge(house)


HEADERS: dict[str, dict[str, Any]] = {
    "2 alg none": {"alg": "none"},
    "2 alg nOnE": {"alg": "nOnE"},
    "2 alg empty": {"alg": ""},
    "2 alg not listed": {"alg": "RS512"},
    "5 unknown kid": {"kid": "other"},
    "5 path in kid": {"kid": "../../dev/null"},
    "5 sql in kid": {"kid": "' or 1=1 --"},
    "6 no kid": {"kid": None},
    "7 kid a number": {"kid": 1},
    "7 typ a list": {"typ": ["at+jwt"]},
    "7 alg an object": {"alg": {}},
    "8 jwk": {"jwk": {"kty": "EC"}},
    "8 jku": {"jku": "https://evil.example/jwks"},
    "8 x5u": {"x5u": "https://evil.example/x"},
    "8 x5c": {"x5c": ["AA"]},
    "8 crit b64": {"crit": ["b64"], "b64": True},
    "9 id token": {"typ": "JWT"},
    "9 embed token": {"typ": "embed+jwt"},
}
CLAIMS: dict[str, dict[str, Any]] = {
    "10 issuer wrong": {"iss": "https://evil.example"},
    "10 issuer with slash": {"iss": identity.ISSUER + "/"},
    "10 issuer as prefix": {"iss": identity.ISSUER + ".evil.example"},
    "10 issuer in a list": {"iss": [identity.ISSUER]},
    "11 audience wrong": {"aud": "other"},
    "11 audience absent": {"aud": None},
    "11 audience empty list": {"aud": []},
    "11 audience object": {"aud": {identity.AUDIENCE: 1}},
    "11 embed audience": {"aud": "embed"},
    "12 exp absent": {"exp": None},
    "12 exp past": {"exp": AT - 31, "iat": AT - 3600},
    "12 exp text": {"exp": str(AT + 3600)},
    "12 exp boolean": {"exp": True},
    "13 exp far": {"exp": 10**18},
    "13 lives too long": {"exp": AT + 3601},
    "14 iat in the future": {"iat": AT + 31},
    "14 nbf in the future": {"nbf": AT + 31},
    "14 iat absent": {"iat": None},
    "15 sub absent": {"sub": None},
    "15 sub empty": {"sub": ""},
    "15 sub a number": {"sub": 7},
}
TWINS: dict[str, dict[str, Any]] = {
    "11 a list with ours": {"aud": ["other", identity.AUDIENCE]},
    "12 29 s past": {"exp": AT - 29, "iat": AT - 3600},
    "14 within leeway": {"iat": AT + 29, "nbf": AT + 29},
}


def changed(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**base, **change}.items() if value is not None}


def test_the_intact_token_is_taken(forge: Forge) -> None:
    claims = identity.verify(forge.token(), forge.trust, NOW)
    assert claims.subject == str(person("ana"))
    assert forge.taken(identity.mint(forge.house.signer, person("ana"), NOW))
    assert forge.taken(forge.token(header={**forge.header(), "typ": "application/at+jwt"}))


@pytest.mark.parametrize("row", HEADERS)
def test_a_header_wrong_in_one_thing_is_refused(forge: Forge, row: str) -> None:
    assert forge.taken(forge.token())
    assert not forge.taken(forge.token(header=changed(forge.header(), HEADERS[row])))


@pytest.mark.parametrize("row", CLAIMS)
def test_claims_wrong_in_one_thing_are_refused(forge: Forge, row: str) -> None:
    assert forge.taken(forge.token())
    assert not forge.taken(forge.token(claims=changed(forge.claims(), CLAIMS[row])))


@pytest.mark.parametrize("row", TWINS)
def test_claims_at_the_edge_are_taken(forge: Forge, row: str) -> None:
    assert forge.taken(forge.token(claims=changed(forge.claims(), TWINS[row])))


def test_another_key_under_our_name_is_refused(forge: Forge) -> None:
    stranger = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()))
    payload = json.dumps(forge.claims()).encode()
    assert not forge.taken(jws.serialize_compact(forge.header(), payload, stranger, algorithms=["ES256"]))


def test_the_public_key_is_no_shared_secret(forge: Forge) -> None:
    secret = OctKey.import_key(json.dumps(forge.house.signer.jwks(Purpose.ISSUER)["keys"][0]))
    header = {**forge.header(), "alg": "HS256"}
    token = jws.serialize_compact(header, json.dumps(forge.claims()).encode(), secret, algorithms=["HS256"])
    assert not forge.taken(token)


def spoilt(forge: Forge) -> dict[str, str]:
    good = forge.token()
    head, body, mark = good.split(".")
    doubled = json.dumps(forge.claims())[:-1] + ', "sub": "' + str(person("ava")) + '"}'
    other = b64u(json.dumps({**forge.claims(), "sub": str(person("ava"))}).encode())
    deep = json.dumps(forge.claims())[:-1] + ', "x": ' + "[" * 16 + "]" * 16 + "}"
    return {
        "4 tampered": f"{head}.{other}.{mark}",
        "12 NaN": forge.token(claims=json.dumps(forge.claims()).replace(str(AT + 3600), "NaN").encode()),
        "16 a claim twice": forge.token(claims=doubled.encode()),
        "16 a header member twice": forge.token(header=json.dumps(forge.header())[:-1].encode() + b', "kid": "x"}'),
        "17 padded": good + "=",
        "17 trailing": good + "AA",
        "17 in another spelling": good[:-1] + chr(ord(good[-1]) + 1),  # the same bytes, other unused bits
        "18 two parts": f"{head}.{body}",
        "18 four parts": good + ".x",
        "18 empty": "",
        "18 too long": forge.token(claims={**forge.claims(), "x": "y" * 9000}),
        "18 nested": forge.token(claims=deep.encode()),
        "18 not an object": forge.token(claims=b"[1]"),
        "18 not UTF-8": forge.token(claims=b"\xff\xfe"),
        "18 not ASCII": "é" + good,
    }


def test_spoilt_tokens_are_refused(forge: Forge) -> None:
    assert forge.taken(forge.token())
    assert forge.taken(forge.token(claims={**forge.claims(), "x": [[[[1]]]]}))
    for row, token in spoilt(forge).items():
        assert not forge.taken(token), row


def test_one_authorization_header_and_nothing_else() -> None:
    assert identity.bearer([(b"Authorization", b"Bearer abc")]) == "abc"
    for headers, code in [
        ([], Code.UNAUTHENTICATED),
        ([(b"authorization", b"Basic abc")], Code.UNAUTHENTICATED),
        ([(b"cookie", b"token=abc")], Code.UNAUTHENTICATED),
        ([(b"authorization", b"Bearer a"), (b"authorization", b"Bearer a")], Code.BAD_INPUT),
    ]:
        with pytest.raises(Refused) as no:
            identity.bearer(headers)
        assert no.value.code is code


async def test_the_subject_must_be_somebody_who_is_here(house: House) -> None:
    found = await identity.viewer(house.store, identity.Claims(str(person("ana")), {}))
    assert found.person_id == person("ana")
    for stranger in (str(person("nobody")), "not a uuid", "0"):
        with pytest.raises(Refused) as no:
            await identity.viewer(house.store, identity.Claims(stranger, {}))
        assert no.value.code is Code.UNAUTHENTICATED


def test_the_stand_in_does_not_run_in_production(house: House) -> None:
    class Production:
        production = True

    with pytest.raises(Refused, match="production"):
        identity.mint(Production(), person("ana"), NOW)  # type: ignore[arg-type]
    assert identity.mint(house.signer, person("ana"), NOW)


def test_a_token_ends(forge: Forge) -> None:
    token = identity.mint(forge.house.signer, person("ana"), NOW)
    assert identity.verify(token, forge.trust, NOW + timedelta(seconds=3600))
    with pytest.raises(Refused):
        identity.verify(token, forge.trust, NOW + timedelta(seconds=3631))


def test_keys_have_one_purpose(forge: Forge) -> None:
    """An embed token is no access token, and the other way round, even when everything else fits."""
    embed = identity.embed_trust(forge.house.signer)
    claims = {"sub": str(person("ana"))}
    good = identity.signed(forge.house.signer, Purpose.EMBED, "embed+jwt", "embed", NOW, 300, claims)
    assert identity.verify(good, embed, NOW).subject == str(person("ana"))
    for token in (
        forge.token(),
        identity.signed(forge.house.signer, Purpose.EMBED, "embed+jwt", "embed", NOW, 301, claims),
        identity.signed(forge.house.signer, Purpose.EMBED, "at+jwt", "embed", NOW, 300, claims),
        identity.signed(forge.house.signer, Purpose.ISSUER, "embed+jwt", "embed", NOW, 300, claims),
    ):
        with pytest.raises(Refused):
            identity.verify(token, embed, NOW)
    assert not forge.taken(good)
