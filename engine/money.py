"""Whole minor units: how many digits a currency has, one rounding, and how a sum is dealt out without losing a cent.

Amounts are integers in minor units (`amount_minor`) beside an ISO 4217 code. Shares are Fractions. Rounding is half up,
away from zero (F-14); dealing out is by largest remainder, ties by id (F-16). Refused: currencies not listed here,
negative or all-zero weights, the same id twice.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

from engine.refusal import Code, Refused

# ISO 4217, digits after the point. A currency is added here when somebody is paid in it.
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_TWO_DIGITS = """AED ALL AMD ARS AUD AZN BAM BGN BRL CAD CHF CNY COP CRC CZK DKK DOP EGP EUR GBP GEL GHS GTQ HKD HUF
IDR ILS INR KES KZT LKR MAD MDL MKD MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD SAR SEK SGD THB TRY TWD TZS UAH
USD UYU UZS ZAR"""
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
CURRENCY_DIGITS: dict[str, int] = (
    dict.fromkeys(_NO_DIGITS.split(), 0)
    | dict.fromkeys(_TWO_DIGITS.split(), 2)
    | dict.fromkeys(_THREE_DIGITS.split(), 3)
)

_AMOUNT = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,9}))?", re.ASCII)


def currency_digits(currency: str) -> int:
    """Digits after the point of an ISO 4217 currency."""
    try:
        return CURRENCY_DIGITS[currency]
    except KeyError:
        raise Refused(
            Code.BAD_INPUT,
            f"The currency {currency!r} is not known.",
            "Use an ISO 4217 code such as EUR.",
            ("currency",),
        ) from None


def minor_units(text: str, currency: str) -> int:
    """The minor units of an amount that is written in whole units: `1250.50` EUR is 125050. Exact, or refused."""
    digits = currency_digits(currency)
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise Refused(
            Code.BAD_INPUT, "It is no amount.", "Write it as 1250.50, with a point and without separators.", ("amount",)
        )
    sign, whole, rest = found[1], found[2], (found[3] or "").rstrip("0")
    if len(rest) > digits:
        what = f"{currency} has {digits} digits after the point, and this amount has {len(rest)}."
        raise Refused(Code.BAD_INPUT, what, "Correct the amount or its currency; nothing is rounded here.", ("amount",))
    minor = int(whole + rest.ljust(digits, "0"))
    return -minor if sign else minor


def round_half_up(value: Fraction) -> int:
    """Nearest integer; a half goes away from zero, so that a debit and its reversal round alike."""
    whole = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return -whole if value < 0 else whole


def largest_remainder(total: int, weights: Sequence[tuple[str, Fraction]]) -> dict[str, int]:
    """Deal out `total` by weight so that the parts are whole and sum to it exactly (F-16).

    The answer is in the order of the ids and does not depend on the order of `weights`.
    """
    ordered = sorted(weights)
    weight_sum = sum((weight for _, weight in ordered), Fraction(0))
    if len({id_ for id_, _ in ordered}) != len(ordered):
        raise Refused(
            Code.BAD_INPUT, "An id stands twice among the weights.", "Add up its weights first.", ("weights",)
        )
    if weight_sum <= 0 or any(weight < 0 for _, weight in ordered):
        raise Refused(
            Code.BAD_INPUT, "Weights must be 0 or more, and one above 0.", "Correct the weights.", ("weights",)
        )
    sign = -1 if total < 0 else 1
    exact = {id_: abs(total) * weight / weight_sum for id_, weight in ordered}
    parts = {id_: value.numerator // value.denominator for id_, value in exact.items()}
    left = abs(total) - sum(parts.values())
    for id_ in sorted(exact, key=lambda id_: (parts[id_] - exact[id_], id_))[:left]:
        parts[id_] += 1
    return {id_: sign * part for id_, part in parts.items()}


def minor_decimal(amount_minor: int, currency: str) -> str:
    """The amount as a plain decimal for files: 25000000 EUR is `250000.00`."""
    digits = currency_digits(currency)
    text = str(abs(amount_minor)).rjust(digits + 1, "0")
    sign = "-" if amount_minor < 0 else ""
    return sign + (f"{text[:-digits]}.{text[-digits:]}" if digits else text)


def format_minor(amount_minor: int, currency: str) -> str:
    """The amount for people: 25000000 EUR is `EUR 250,000.00`."""
    whole, point, rest = minor_decimal(abs(amount_minor), currency).partition(".")
    sign = "-" if amount_minor < 0 else ""
    return f"{currency} {sign}{int(whole):,}{point}{rest}"
