"""How a process that runs for hours holds its memory: it keeps what it was given and uses it again.

Decides for a server: the garbage collector leaves alone what stands since the start, and looks rarely; a look at all of
it stopped every answer for a fifth of a second. Decides two things for a worker. The collector looks rarely: what a
batch makes has no cycles, and looking for some took a quarter of a load. And glibc keeps freed memory within one heap
instead of giving it back after every page and asking anew: the kernel hands out memory page by page, which cost more
than filling it, and a heap for each thread grew by what the others had freed. Source: mallopt(3). Does nothing where
the C library is another one.
"""

import ctypes
import gc
import sys

# Parameter numbers of malloc.h, and their values: bytes, or a number of heaps.
M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD = -8, -3, -1, -2
KEEP = {
    M_ARENA_MAX: 1,
    M_MMAP_THRESHOLD: 32 << 20,  # the most that glibc takes: what is larger comes and goes alone
    M_TRIM_THRESHOLD: 32 << 20,  # so much may lie free at the end of the heap
    M_TOP_PAD: 4 << 20,
}


def steady() -> None:
    """Once, when a server is about to answer: schema, settings and code stay for good."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def settle() -> None:
    """Once, before the process begins its work and its threads."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    if sys.platform != "linux":
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        for option, value in KEEP.items():
            set_option(option, value)
