"""An instance of ServiceNow with as many incidents as one asks for, whose memory stays flat.

Started as `python -m connectors.sandbox.stream PORT RECORDS [ROUND]`. Every row is computed from its number and from
the round in which the instance is, so whoever mirrored it can check the last column of the last row. In each new round
(`POST /round/N`) every record has changed once more: taken, resolved, closed, then commented. Up to 128 answers are
kept, so that whoever measures readers in turn measures them and not the tool, which in life stands elsewhere.
Answers keyset and offset pages, counts and links of the Table API for the conditions that readers use; refuses other
conditions with 400 instead of ignoring them, so that no load measures the wrong rows. The groups that incidents are
assigned to are there too; other tables are empty. Any credentials will do: it serves this machine alone.
"""

import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson

OPENED = datetime(2026, 1, 1)  # noqa: DTZ001 - UTC, as the API writes it: without a zone
YEAR_SECONDS = 365 * 86_400
CLOCK = datetime(2027, 2, 1, 8)  # noqa: DTZ001 - the instance's in round 0
ROUND = timedelta(hours=1)
SPREAD = 500  # the changes of a round are stamped within so many seconds before its clock
FIVE_DAYS = timedelta(days=5)
DIGITS = tuple(map(str, range(10)))
STATES = ("2", "2", "6", "7")  # by round
_MIX, _WORD = 0x9E3779B97F4A7C15, 2**64 - 1
_CONDITION = re.compile(r"(sys_updated_on>=|sys_id>|sys_idIN)([0-9a-f :,-]*)")
SUBJECTS = (
    "VPN drops every hour", "Payslip cannot be opened", "Printer on floor 3 is offline", "Mailbox is full",
    "Order screen shows an error", "Laptop does not start", "Report is empty", "Login takes minutes",
)  # fmt: skip
CATEGORIES = ("network", "software", "hardware", "inquiry")

KEPT_ANSWERS, KEPT_BYTES = 128, 1_000_000
Row = dict[str, str]
Answer = tuple[bytes, dict[str, str]]  # body and headers


def step(records: int) -> int:
    """How far apart two ids are, so that ids grow with numbers."""
    return 16**32 // max(records, 1)


def mixed(number: int) -> int:
    """64 bits that look like chance and are the same every time."""
    value = (number * _MIX + 0x1234567) & _WORD
    value = ((value ^ (value >> 31)) * 0xBF58476D1CE4E5B9) & _WORD
    return value ^ (value >> 29)


def sys_id(number: int, records: int) -> str:
    return f"{number * step(records) + mixed(number) % 2**40:032x}"


def targets(kind: int, count: int) -> tuple[str, ...]:
    """The ids of services, teams, people or problems, none of which this instance serves."""
    return tuple(f"{mixed(kind << 32 | number):016x}{number:016x}" for number in range(count))


SERVICES, TEAMS, PEOPLE, PROBLEMS = targets(1, 200), targets(2, 60), targets(3, 3_000), targets(4, 500)


def row(number: int, records: int, round_no: int) -> Row:
    """The incident of this number as it is in this round."""
    dice = mixed(number)
    opened = OPENED + timedelta(seconds=number * YEAR_SECONDS // records)
    taken, solved, closed = round_no >= 1, round_no >= 2, round_no >= 3
    resolved = opened + timedelta(seconds=900 + (dice >> 8) % 250_000)
    opened_at, subject = opened.isoformat(" "), SUBJECTS[(dice >> 7) % 8]
    return {
        "sys_id": sys_id(number, records), "sys_mod_count": str(round_no),
        "sys_updated_on": stamps(round_no)[number % SPREAD], "sys_created_on": opened_at, "sys_created_by": "portal",
        "sys_updated_by": "agent", "number": f"INC{number:07d}", "state": STATES[min(round_no, 3)],
        "active": "false" if closed else "true", "priority": DIGITS[1 + dice % 5], "impact": DIGITS[1 + dice % 3],
        "urgency": DIGITS[1 + (dice >> 4) % 3], "category": CATEGORIES[(dice >> 5) % 4], "short_description": subject,
        "description": f"{subject}, since this morning. Case {number}, round {round_no}.",
        "caller_id": PEOPLE[(dice >> 20) % 3_000], "business_service": SERVICES[(dice >> 24) % 200],
        "assignment_group": TEAMS[(dice >> 28) % 60], "assigned_to": PEOPLE[(dice >> 16) % 3_000] if taken else "",
        "opened_at": opened_at, "resolved_at": resolved.isoformat(" ") if solved else "",
        "closed_at": (resolved + FIVE_DAYS).isoformat(" ") if closed else "",
        "reopen_count": "1" if solved and dice % 20 == 0 else "0",
        "reassignment_count": DIGITS[min(round_no, dice % 4)], "made_sla": "false" if dice % 10 == 0 else "true",
        "problem_id": PROBLEMS[(dice >> 32) % 500] if solved and dice % 25 == 0 else "",
    }  # fmt: skip


def groups(query: str) -> list[Row]:
    """All groups behind the cursor; none of them has ever changed."""
    after = query.partition("sys_id>")[2].partition("^")[0]
    if "sys_updated_on>=" in query:
        return []
    stamp = {"sys_mod_count": "0", "sys_updated_on": OPENED.isoformat(" "), "active": "true"}
    found = [{"sys_id": key, "name": f"Team {number}"} | stamp for number, key in enumerate(TEAMS) if key > after]
    return sorted(found, key=lambda one: one["sys_id"])


def named(one: Row, fields: str) -> Row:
    """The columns that are asked for; one that we do not have is empty."""
    return {name: one.get(name, "") for name in fields.split(",")} if fields else one


def clock(round_no: int) -> datetime:
    return CLOCK + round_no * ROUND


@lru_cache(maxsize=8)
def stamps(round_no: int) -> tuple[str, ...]:
    """When a record changed in this round, by number modulo `SPREAD`."""
    return tuple((clock(round_no) - timedelta(seconds=second)).isoformat(" ") for second in range(SPREAD))


class Instance:
    """How many records there are, and in which round."""

    def __init__(self, records: int, round_no: int = 0) -> None:
        self.records, self.round_no = records, round_no
        self.answers: dict[tuple[str, int], Answer] = {}

    def first_after(self, key: str) -> int:
        """The number of the first record with a larger id."""
        number = min(int(key, 16) // step(self.records), self.records)
        while number < self.records and sys_id(number, self.records) <= key:
            number += 1
        return number

    def numbers(self, query: str) -> tuple[Iterable[int], int]:
        """Which records a query takes, in the order of their ids, and how many. Raises ValueError."""
        start, oldest = 0, SPREAD - 1
        wanted: list[int] | None = None
        for part in filter(None, query.split("^")):
            if part == "ORDERBYsys_id":
                continue
            condition = _CONDITION.fullmatch(part)
            if condition is None:
                raise ValueError(part)
            name, value = condition.groups()
            if name == "sys_id>":
                start = self.first_after(value)
            elif name == "sys_idIN":
                near = {min(int(key, 16) // step(self.records), self.records - 1): key for key in value.split(",")}
                wanted = sorted(number for number, key in near.items() if sys_id(number, self.records) == key)
            else:
                since = datetime.fromisoformat(value)
                oldest = min(oldest, int((clock(self.round_no) - since).total_seconds()))
        if wanted is not None:
            found = [number for number in wanted if number >= start and number % SPREAD <= oldest]
            return found, len(found)
        if oldest >= SPREAD - 1:
            return range(start, self.records), self.records - start
        return (number for number in range(start, self.records) if number % SPREAD <= oldest), (
            _recent(self.records, oldest) - _recent(start, oldest)
        )


def _recent(end: int, oldest: int) -> int:
    """How many numbers below `end` were stamped within the last `oldest` seconds."""
    width = max(oldest + 1, 0)
    return end // SPREAD * width + min(end % SPREAD, width)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    instance: Instance

    def do_GET(self) -> None:
        """`GET /api/now/v2/table/incident?…`, `GET …/stats/incident?…`, `GET /round`."""
        address = urlsplit(self.path)
        given = {name: values[-1] for name, values in parse_qs(address.query).items()}
        *_, resource, table = address.path.split("/")
        if table == "round":
            self._answer(200, {"round": self.instance.round_no, "records": self.instance.records})
            return
        if table == "sys_user_group":
            rows = groups(given.get("sysparm_query", ""))
            body = orjson.dumps({"result": [named(one, given.get("sysparm_fields", "")) for one in rows]})
            self._send(200, body, {"X-Total-Count": str(len(rows))})
            return
        try:
            numbers, total = self.instance.numbers(given.get("sysparm_query", "")) if table == "incident" else ((), 0)
        except ValueError as unknown:
            self._answer(400, {"error": {"message": f"Not served here: {unknown}", "detail": None}})
            return
        if resource == "stats":
            self._answer(200, {"result": {"stats": {"count": str(total)}}})
            return
        self._send(200, *self._page(address.path, given, numbers, total))

    def _page(self, path: str, given: dict[str, str], numbers: Iterable[int], total: int) -> Answer:
        kept = (self.path, self.instance.round_no)
        if answer := self.instance.answers.get(kept):
            return answer
        limit, offset = int(given.get("sysparm_limit", 10_000)), int(given.get("sysparm_offset", 0))
        headers = {}
        if given.get("sysparm_no_count") != "true":
            headers["X-Total-Count"] = str(total)
        if given.get("sysparm_suppress_pagination_header") != "true" and offset + limit < total:
            following = urlencode(given | {"sysparm_offset": str(offset + limit)})
            headers["Link"] = f'<http://{self.headers["Host"]}{path}?{following}>;rel="next"'
        chosen = islice(numbers, offset, offset + limit)
        answer = orjson.dumps({"result": self._shown(chosen, given.get("sysparm_fields", ""))}), headers
        if len(self.instance.answers) < KEPT_ANSWERS and len(answer[0]) < KEPT_BYTES:
            self.instance.answers[kept] = answer
        return answer

    def do_POST(self) -> None:
        """`POST /round/N` moves the instance on."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        *_, resource, value = self.path.split("/")
        if resource == "round" and value.isdigit():
            self.instance.round_no = int(value)
            self._answer(200, {"round": int(value)})
            return
        self._answer(404, {"error": {"message": "Not served here", "detail": None}})

    def _shown(self, numbers: Iterable[int], fields: str) -> list[Row]:
        rows = (row(number, self.instance.records, self.instance.round_no) for number in numbers)
        return [named(one, fields) for one in rows]

    def _answer(self, status: int, content: Any) -> None:
        self._send(status, orjson.dumps(content), {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        now = clock(self.instance.round_no).replace(tzinfo=UTC)
        told = {"Date": format_datetime(now, usegmt=True), "Content-Type": "application/json"} | headers
        for name, value in told.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def serve(port: int, records: int, round_no: int = 0) -> None:
    handler = type("Bound", (Handler,), {"instance": Instance(records, round_no)})
    ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
