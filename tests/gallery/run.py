"""`make gallery`: every hostile submission on this machine, see `tests/galleryrun.py`."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    sys.path[:0] = [str(TESTS), str(TESTS.parent)]
    from galleryrun import main

    sys.exit(main())
