"""Collections are seldom after `relax`, and cycles are found all the same."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, weakref
from streams.garbage import relax

class Ring:
    pass

relax()
assert gc.get_freeze_count() > 1000
before = gc.get_stats()[0]["collections"]
kept = [[n] for n in range(50_000)]
assert gc.get_stats()[0]["collections"] == before, "it looks at young objects that lie in no cycle"
ring = Ring()
ring.itself = ring
gone = weakref.ref(ring)
del ring
more = [[n] for n in range(200_000)]
assert gone() is None, "a cycle stays for ever"
"""


def test_collections_are_seldom_and_cycles_go_all_the_same() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
