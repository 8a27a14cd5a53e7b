"""One byte string for one value: canonical JSON as RFC 8785 (JCS), for the values that we allow.

Allowed: text, whole numbers within +-(2**53 - 1), true, false, null, lists, and objects with text keys. Numbers with a
fraction are written as text by the caller (`fraction_text`), so that no binary float decides a hash. Refused: floats,
larger integers, text that is not valid Unicode, any other type.
"""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from hashlib import sha256

from engine.refusal import Code, Refused

_LARGEST_INTEGER = 2**53 - 1


def canonical_json(value: object) -> bytes:
    """Canonical UTF-8 bytes of a restricted JSON value; keys in the order of their UTF-16 code units."""
    return json.dumps(_ordered(value, "$"), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def canonical_hash(value: object) -> str:
    """sha256 of the canonical bytes, in lower-case hex."""
    return sha256(canonical_json(value)).hexdigest()


def fraction_text(value: Fraction) -> str:
    """Exact text of a Fraction: a decimal without exponent when it ends, otherwise `numerator/denominator`."""
    twos = fives = 0
    rest = value.denominator
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    if places == 0:
        return str(value.numerator)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _ordered(value: object, where: str) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        if abs(value) > _LARGEST_INTEGER:
            raise _not_canonical(where, f"the integer {value} is beyond 2^53 - 1", "Write it as text.")
        return int(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise _not_canonical(where, f"the key {key!r} is not text", "Use text keys.")
        keys = sorted((_text(key, where) for key in value), key=lambda key: key.encode("utf-16-be"))
        return {key: _ordered(value[key], f"{where}.{key}") for key in keys}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_ordered(item, f"{where}[{index}]") for index, item in enumerate(value)]
    kind = type(value).__name__
    raise _not_canonical(where, f"a value of type {kind} has no canonical form", "Write decimals and times as text.")


def _text(value: str, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _not_canonical(where, "the text holds a lone surrogate", "Send valid Unicode.") from None
    return str(value)


def _not_canonical(where: str, what: str, fix: str) -> Refused:
    return Refused(Code.BAD_INPUT, f"At {where}: {what}.", fix, (where,))
