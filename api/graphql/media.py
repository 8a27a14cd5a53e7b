"""Which media type an answer has, and which status goes with it (GraphQL over HTTP draft).

Decides: `application/graphql-response+json` tells a request that was not executed by 400; `application/json`, also for
`*/*` and a missing Accept, answers 200 for every well-formed request. Refused: every other Accept (406).
"""

from collections.abc import Mapping

from starlette.responses import Response

from api.graphql.execution import Answer
from engine.refusal import Code, Refused

RESPONSE = "application/graphql-response+json"
PLAIN = "application/json"
MATCHES: Mapping[str, tuple[str, ...]] = {
    RESPONSE: (RESPONSE,),
    PLAIN: (PLAIN,),
    "application/*": (PLAIN,),
    "*/*": (PLAIN,),
}


def response(kind: str, answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    """The answer of any lane over HTTP. `kind` is what `accepted` chose."""
    status = 400 if kind == RESPONSE and answer.data is None else 200
    return Response(answer.body(), status, {**(headers or {}), "content-type": f"{kind}; charset=utf-8"})


def accepted(header: str) -> str:
    """The media type to answer in: the highest q wins, the first listed wins a tie."""
    best, best_q = "", 0.0
    for part in header.split(",") if header.strip() else ["*/*"]:
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        q = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    q = float(value)
                except ValueError:
                    q = 0.0
        for kind in MATCHES.get(name, ()):
            if q > best_q:
                best, best_q = kind, q
    if not best:
        raise Refused(Code.NOT_ACCEPTABLE, "No media type of the Accept header can be served.", f"Accept {RESPONSE}.")
    return best
