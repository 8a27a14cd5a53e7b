"""A server holds what stands since its start apart from what comes and goes. In processes of their own: it stays so."""

import subprocess
import sys

CODE = """
import gc, weakref
from api import memory, serving
memory.steady()
frozen = gc.get_freeze_count()
class Ring: pass
ring = Ring(); ring.itself = ring; gone = weakref.ref(ring); del ring
gc.collect()
print(frozen > 50_000, gc.get_freeze_count() == frozen, gone() is None, gc.get_threshold()[0] >= 50_000)
"""


def test_what_stands_is_left_alone_and_what_comes_is_still_collected() -> None:
    told = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True, timeout=60)
    assert told.stdout.split() == ["True"] * 4
