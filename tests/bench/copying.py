"""A plain copy in memory, beside which a benchmark sets what it moves."""

import time

import numpy as np

_BLOCK = 256 << 20


def copy_seconds(size: int) -> float:
    """Seconds to copy `size` bytes, in blocks too large for the processor's caches."""
    source = np.full(_BLOCK, 1, np.uint8)
    target = np.full(_BLOCK, 2, np.uint8)
    start = time.perf_counter()
    for done in range(0, size, _BLOCK):
        count = min(size - done, _BLOCK)
        np.copyto(target[:count], source[:count])
    return time.perf_counter() - start
