"""The word that work on an attempt ends early because somebody asked for it."""


class Stopped(Exception):  # noqa: N818  # not an error: somebody asked for it
    """The work was ended from outside: a cancel, a lost lease, or the worker's own end."""
