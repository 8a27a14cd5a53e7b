"""The payout file: its canonical lines, its control totals and the manifest that binds both.

Decides: the exact bytes that payroll receives and that are signed. Sources: RFC 4180 for the lines, RFC 8785 for the
manifest, the ACH file control record for the totals. Units: amounts are whole minor units of the line's currency, whose
exponent (ISO 4217) the caller passes; in the file they are decimals with exactly that many digits.
Refuses: values outside the agreed patterns; text that a spreadsheet would run as a formula (it is refused, not escaped,
because escaping changes ids); amounts of zero; a payout that takes money or a clawback that gives it; a line id twice.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from uuid import UUID

from engine.canonical import canonical_json
from engine.leaf import utc_text
from engine.notes import Checkpoint, b64
from engine.refusal import Code, Refused
from engine.words import PayLineKind

MANIFEST_FORMAT = 1
MANIFEST_TYPE = "evenhand-payout-manifest/v1"
FIRST_IN_CHAIN = "0" * 64
CSV_NAME = "payout.csv"
CSV_MEDIA_TYPE = "text/csv; charset=utf-8; header=present"

_CODE = re.compile(r"[A-Z0-9]{1,10}")
_PATTERNS = {
    "line_id": re.compile(r"L[0-9]{6,18}"),
    "employee_id": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"),
    "company_code": _CODE,
    "earning_code": _CODE,
    "currency": re.compile(r"[A-Z]{3}"),
    "cost_center": re.compile(r"[A-Za-z0-9._-]{0,32}"),
    "award_ref": re.compile(r"AW-[0-9]{4}-[0-9]{6}"),
}
_AMOUNT = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class PayLine:
    """One amount for one person. A correction is a new line with its own part number, never a changed one."""

    line_id: str
    employee_id: str
    company_code: str
    earning_code: str
    amount_minor: int
    currency: str
    effective_date: date
    cost_center: str
    award_ref: str
    part_no: int
    kind: PayLineKind


COLUMNS = tuple(name.removesuffix("_minor") for name in PayLine.__dataclass_fields__)


@dataclass(frozen=True)
class DataFile:
    """A file that the manifest vouches for: the canonical lines, or an adapter's output and its map."""

    role: str
    name: str
    media_type: str
    content: bytes
    columns: tuple[str, ...]


@dataclass(frozen=True)
class HandOver:
    """What the manifest says beside files and totals: from whom, to whom, for when, and its place in the chain."""

    issuer: str
    environment: str
    receiver: str
    file_id: UUID
    sequence: int
    previous_manifest_sha256: str
    supersedes: UUID | None
    period_from: date
    period_to: date
    pay_date: date
    created_at: datetime
    expires_at: datetime
    final: bool
    approvals: tuple[UUID, ...]
    checkpoint: Checkpoint


def csv_bytes(lines: Iterable[PayLine], exponents: Mapping[str, int]) -> bytes:
    """The canonical file: UTF-8 without BOM, CRLF, a header, sorted by line id."""
    rows, ordered = [",".join(COLUMNS)], sorted(lines, key=lambda line: line.line_id)
    last = ""
    for line in ordered:
        require_valid(line)
        if line.line_id == last:
            raise _bad(line.line_id, "line_id", "stands twice in the file", "Give each line its own number.")
        last = line.line_id
        rows.append(_row(line, _exponent(line.currency, exponents, line.line_id)))
    return ("\r\n".join(rows) + "\r\n").encode()


def read_csv(content: bytes, exponents: Mapping[str, int]) -> list[PayLine]:
    """The lines of a canonical file. A file that is not byte for byte what `csv_bytes` writes is refused."""
    try:
        header, *rows = content.decode().split("\r\n")
    except UnicodeDecodeError:
        raise _bad("payout.csv", "text", "is not UTF-8", "Use the file as it was handed over.") from None
    if header != ",".join(COLUMNS) or not rows or rows.pop() != "":
        raise _bad("payout.csv", "header", "is not the agreed one, or the last line has no end", "Use the whole file.")
    lines = [_line(row, number, exponents) for number, row in enumerate(rows, start=2)]
    if csv_bytes(lines, exponents) != content:
        raise _bad("payout.csv", "order", "is not the canonical order", "Use the file as it was handed over.")
    return lines


def require_valid(line: PayLine) -> None:
    for column, pattern in _PATTERNS.items():
        value = getattr(line, column)
        if value.startswith(_FORMULA):
            raise _bad(line.line_id, column, f"begins like a formula: {value!r}", "Correct the value at its source.")
        if not pattern.fullmatch(value):
            raise _bad(line.line_id, column, f"is {value!r}, not {pattern.pattern}", "Correct the value at its source.")
    if line.part_no < 1:
        raise _bad(line.line_id, "part_no", f"is {line.part_no}", "Number the parts of an award from 1.")
    if line.amount_minor == 0:
        raise _bad(line.line_id, "amount", "is zero", "Leave the line out.")
    if (line.kind is PayLineKind.PAYOUT and line.amount_minor < 0) or (
        line.kind is PayLineKind.CLAWBACK and line.amount_minor > 0
    ):
        raise _bad(line.line_id, "amount", f"has the wrong sign for a {line.kind}", "Correct the amount or the kind.")


def amount_text(amount_minor: int, exponent: int) -> str:
    sign, digits = "-" if amount_minor < 0 else "", str(abs(amount_minor)).rjust(exponent + 1, "0")
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}" if exponent else f"{sign}{digits}"


def canonical_file(content: bytes) -> DataFile:
    return DataFile("canonical", CSV_NAME, CSV_MEDIA_TYPE, content, COLUMNS)


def controls(lines: Sequence[PayLine], exponents: Mapping[str, int]) -> dict[str, object]:
    """The totals by which the receiver sees that nothing was lost; they count lines, not persons."""
    ids = [line.employee_id for line in lines]
    method = "digits" if all(each.isascii() and each.isdigit() for each in ids) else "sha256-64"
    return {
        "records": len(lines),
        "distinct_employees": len(set(ids)),
        "employee_hash_method": method,
        "employee_hash_total": str(_HASH_TOTALS[method](ids)),
        "by_currency": [
            _currency_total(currency, exponents[currency], [x.amount_minor for x in lines if x.currency == currency])
            for currency in sorted({line.currency for line in lines})
        ],
    }


def manifest(
    hand_over: HandOver, files: Sequence[DataFile], lines: Sequence[PayLine], exponents: Mapping[str, int]
) -> bytes:
    """The bytes that are signed. Two different approvals stand in the audit log before a file may exist."""
    if len(set(hand_over.approvals)) < 2:
        raise Refused(Code.SOD_VIOLATION, "The payout has fewer than two approvals.", "Let a second person approve it.")
    checkpoint = hand_over.checkpoint
    return canonical_json(
        {
            "v": MANIFEST_FORMAT,
            "type": MANIFEST_TYPE,
            "issuer": hand_over.issuer,
            "environment": hand_over.environment,
            "receiver": hand_over.receiver,
            "file_id": str(hand_over.file_id),
            "sequence": hand_over.sequence,
            "previous_manifest_sha256": hand_over.previous_manifest_sha256,
            "supersedes": None if hand_over.supersedes is None else str(hand_over.supersedes),
            "pay_period": {"from": hand_over.period_from.isoformat(), "to": hand_over.period_to.isoformat()},
            "pay_date": hand_over.pay_date.isoformat(),
            "created_at": utc_text(hand_over.created_at.replace(microsecond=0)),
            "expires_at": utc_text(hand_over.expires_at.replace(microsecond=0)),
            "final": hand_over.final,
            "files": [
                {
                    "role": file.role,
                    "name": file.name,
                    "media_type": file.media_type,
                    "size": len(file.content),
                    "sha256": sha256(file.content).hexdigest(),
                    "columns": file.columns,
                }
                for file in files
            ],
            "controls": controls(lines, exponents),
            "audit": {
                "origin": checkpoint.origin,
                "approvals": [str(each) for each in hand_over.approvals],
                "checkpoint_size": checkpoint.size,
                "checkpoint_root": b64(checkpoint.root),
            },
        }
    )


def _row(line: PayLine, exponent: int) -> str:
    values = {**line.__dict__, "amount": amount_text(line.amount_minor, exponent)}
    return ",".join(str(values[column]) for column in COLUMNS)


def _line(row: str, number: int, exponents: Mapping[str, int]) -> PayLine:
    where, cells = f"line {number}", row.split(",")
    if len(cells) != len(COLUMNS):
        raise _bad(where, "columns", f"are {len(cells)}, not {len(COLUMNS)}", "Use the file as it was handed over.")
    values = dict(zip(COLUMNS, cells, strict=True))
    try:
        amount_minor = _minor(values.pop("amount"), _exponent(values["currency"], exponents, where))
        return PayLine(
            line_id=values["line_id"],
            employee_id=values["employee_id"],
            company_code=values["company_code"],
            earning_code=values["earning_code"],
            amount_minor=amount_minor,
            currency=values["currency"],
            effective_date=date.fromisoformat(values["effective_date"]),
            cost_center=values["cost_center"],
            award_ref=values["award_ref"],
            part_no=int(values["part_no"]),
            kind=PayLineKind(values["kind"]),
        )
    except ValueError as wrong:
        raise _bad(where, "value", f"cannot be read ({wrong})", "Use the file as it was handed over.") from None


def _minor(text: str, exponent: int) -> int:
    whole, _, part = text.partition(".")
    if not _AMOUNT.fullmatch(text) or len(part) != exponent:
        raise ValueError(f"amount {text!r} does not have {exponent} digits after the dot")
    return int(whole + part)


def _exponent(currency: str, exponents: Mapping[str, int], where: str) -> int:
    if currency not in exponents:
        raise _bad(where, "currency", f"{currency!r} has no known number of digits", "Add the currency to the ledger.")
    return exponents[currency]


def _currency_total(currency: str, exponent: int, amounts_minor: Sequence[int]) -> dict[str, object]:
    credit_minor = sum(each for each in amounts_minor if each > 0)
    debit_minor = -sum(each for each in amounts_minor if each < 0)
    return {
        "currency": currency,
        "exponent": exponent,
        "records": len(amounts_minor),
        "credit_minor": str(credit_minor),
        "debit_minor": str(debit_minor),
        "net_minor": str(credit_minor - debit_minor),
    }


def _total_of_hashes(ids: Iterable[str]) -> int:
    return sum(int.from_bytes(sha256(each.encode()).digest()[:8], "big") for each in ids) % 2**64


_HASH_TOTALS: Mapping[str, Callable[[Iterable[str]], int]] = {
    "digits": lambda ids: sum(map(int, ids)),
    "sha256-64": _total_of_hashes,
}


def _bad(where: str, column: str, what: str, fix: str) -> Refused:
    return Refused(Code.BAD_INPUT, f"{where}: {column} {what}.", fix, (where, column))
