"""How the imitated instance writes its answers: JSON, refusals, its own date, and rows as the caller wants them.

Decides display values, reference links, dates in the zone of the account, and which columns are left out. Error bodies
are those of the Table API reference.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.company_book import Row
from connectors.sandbox.servicenow_columns import columns
from connectors.sandbox.servicenow_lens import Lens, lens_of
from connectors.sandbox.servicenow_records import Records, Table

Params = Mapping[str, str]


def refuse(status: int, message: str, detail: str | None, headers: Mapping[str, str] | None = None) -> Response:
    return as_json({"error": {"message": message, "detail": detail}, "status": "failure"}, status, headers)


def as_json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


def asked(params: Params, name: str) -> bool:
    return params.get(name, "").lower() == "true"  # clients spell it "True" as well


def whole(params: Params, name: str, default: int) -> int:
    text = params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else default


def shown(records: Records, table: Table, rows: list[Row], request: Request) -> list[dict[str, Any]]:
    """Rows as the caller wants to see them; unknown fields are dropped without a word, and so are hidden ones."""
    params, lens = request.query_params, lens_of(request.scope)
    names = [name.strip() for name in params.get("sysparm_fields", "").split(",") if name.strip()]
    reader = records.reader(table)
    fields = {
        name: read for name in names or table.columns if (read := reader(name)) is not None and name not in lens.columns
    }
    if lens.zone and table.name == "sys_user":
        rows = [row | {"time_zone": lens.zone} if row["user_name"] == records.writer else row for row in rows]
    display = params.get("sysparm_display_value", "false").lower()
    if display == "false" and asked(params, "sysparm_exclude_reference_link"):
        return [{name: read(row) for name, read in fields.items()} for row in rows]
    show = _Display(records, table, display, asked(params, "sysparm_exclude_reference_link"), request, lens)
    return [{name: show.value(name, read(row)) for name, read in fields.items()} for row in rows]


class _Display:
    """How one value of a table is written for this request."""

    def __init__(
        self, records: Records, table: Table, display: str, bare: bool, request: Request, lens: Lens
    ) -> None:  # fmt: skip
        self.records, self.display, self.bare = records, display, bare
        self.base, self.known = f"{request.url.scheme}://{request.url.netloc}/api/now/table", columns(table.name)
        self.zone = ZoneInfo(lens.zone) if lens.zone else None

    def value(self, name: str, value: str) -> Any:
        kind = self.known[name].kind if name in self.known else "reference"
        target = self.records.where.get(value) if kind == "reference" and len(value) == 32 else None
        if target is None:
            label = self._local(value) if kind == "glide_date_time" else value
            return {"display_value": label, "value": value} if self.display == "all" else self._plain(label, value)
        link = {} if self.bare else {"link": f"{self.base}/{target.name}/{value}"}
        there = target.rows[value]
        label = there.get("name") or there.get("number") or value
        if self.display == "false":
            return {**link, "value": value}
        if self.display == "all":
            return {"display_value": label, "value": value, **link}
        return {"display_value": label, **link} if link else label

    def _plain(self, label: str, value: str) -> str:
        return value if self.display == "false" else label

    def _local(self, value: str) -> str:
        """Display dates are in the zone of the account; raw ones are UTC."""
        if self.zone is None or not value:
            return value
        return datetime.fromisoformat(value).replace(tzinfo=UTC).astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")


def links(request: Request, offset: int, limit: int, total: int) -> str:
    """first, prev, next, last, as far as there are such pages."""
    step = max(limit, 1)
    places = {"first": 0, "prev": offset - step, "next": offset + step, "last": max(total - 1, 0) // step * step}
    url = request.url.replace(query="")

    def link(rel: str, start: int) -> str:
        return f'<{url}?{urlencode({**request.query_params, "sysparm_offset": start})}>;rel="{rel}"'

    return ",".join(link(rel, start) for rel, start in places.items() if 0 <= start < max(total, 1))
