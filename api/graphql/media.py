"""Which media type an answer has, and which status goes with it (GraphQL over HTTP draft).

Decides: `application/graphql-response+json` tells a request that was not executed by 400; `application/json`, also for
`*/*` and a missing Accept, answers 200 for every well-formed request. A document that nobody registered is 400 in both,
a mutation by GET 405, an operation beyond the caller's budget 429 with the seconds to wait.
A type has the q of the most specific range that names it; the highest q wins, then the first listed.
Refused: an Accept that names neither (406).
"""

import re
from collections.abc import Mapping

from starlette.responses import Response

from api.graphql.execution import Answer
from engine.refusal import Code, Refused

RESPONSE = "application/graphql-response+json"
PLAIN = "application/json"
RANGES = ("*/*", "application/*")  # a later one is more specific; the whole name of a type is the most
Q = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")
STATUS_IN_BOTH: Mapping[str, int] = {
    Code.DOCUMENT_NOT_FOUND.value: 400,
    Code.METHOD_NOT_ALLOWED.value: 405,
    Code.THROTTLED.value: 429,
}
ALLOW = {"allow": "GET, HEAD, POST"}
VARY = "Authorization, Accept, Accept-Encoding"


def response(kind: str, answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    """The answer of any lane over HTTP. `kind` is what `accepted` chose."""
    tagged = {"etag": answer.tag, "vary": VARY, "cache-control": "no-store"} if answer.tag else {}
    if answer.unchanged:
        return Response(status_code=304, headers=tagged)
    status = status_of(kind, answer)
    named = {**(headers or {}), **tagged, **(ALLOW if status == 405 else {}), "content-type": f"{kind}; charset=utf-8"}
    if status == 429:
        named["retry-after"] = str(answer.errors[0]["extensions"]["retryAfterSeconds"])
    return Response(answer.body(), status, named)


def status_of(kind: str, answer: Answer) -> int:
    if answer.data is not None:
        return 200
    codes = (error["extensions"]["code"] for error in answer.errors)
    own = next((STATUS_IN_BOTH[code] for code in codes if code in STATUS_IN_BOTH), None)
    return own or (400 if kind == RESPONSE else 200)


def accepted(header: str) -> str:
    """The media type to answer in."""
    listed = [_range(part) for part in header.split(",") if part.strip()] or [("*/*", 1.0)]
    best, best_q, best_place = "", 0.0, 0
    for kind in (PLAIN, RESPONSE):  # the first wins where one range names both
        q, place = _wanted(kind, listed)
        if q > best_q or (q == best_q > 0 and place < best_place):
            best, best_q, best_place = kind, q, place
    if not best:
        raise Refused(Code.NOT_ACCEPTABLE, "No media type of the Accept header can be served.", f"Accept {RESPONSE}.")
    return best


def _wanted(kind: str, listed: list[tuple[str, float]]) -> tuple[float, int]:
    """The q of this type and the place of the range that gives it."""
    naming = (*RANGES, kind)
    places = [(naming.index(name), -place) for place, (name, _) in enumerate(listed) if name in naming]
    if not places:
        return 0.0, 0
    place = -max(places)[1]
    return listed[place][1], place


def _range(part: str) -> tuple[str, float]:
    """A range of the header and its q; a q that is none counts as 0."""
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    pairs = [parameter.partition("=") for parameter in parameters]
    given = [value.strip() for key, _, value in pairs if key.strip() == "q"]
    if not given:
        return name, 1.0
    return name, float(given[0]) if Q.fullmatch(given[0]) else 0.0
