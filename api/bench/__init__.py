"""Benchmarks: each runs beside its peer or its physical limit and answers with a ratio."""

from collections.abc import Callable
from typing import Any

from api.bench import intake

# Name -> (rounds, seconds of one measurement) -> the figures. Progress goes to stderr.
BENCHES: dict[str, Callable[[int, float], dict[str, Any]]] = {"intake": intake.run}
