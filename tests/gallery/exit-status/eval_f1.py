"""Exits with status 3 at import."""

import sys

sys.exit(3)
