"""Benchmarks: each runs beside its peer or its physical limit and answers with a ratio."""

from collections.abc import Callable
from typing import Any

from api.bench import dashboards, hostile, intake, live, mirror, reads

# Each takes those of `rounds`, `seconds`, `records` and `revisions` that it names, all with defaults. Progress goes to
# stderr.
BENCHES: dict[str, Callable[..., dict[str, Any]]] = {
    "hostile": hostile.run,
    "intake": intake.run,
    "live": live.run,
    "managers": dashboards.run,
    "mirror": mirror.run,
    "reads": reads.run,
}
