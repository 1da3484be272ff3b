"""Who speaks which version: HELLO as the evaluator reads it, and what both sides understand.

HELLO says the inside's version, LOAD answers with the evaluator's, and both then speak the lower
minor. An inside of 1.0 knows no version in LOAD, so it is not told; an evaluator of 1.0 tells
none, so silence means 1.0.
"""

import re
from typing import NamedTuple

from harness.errors import OperatorError
from harness.remote.frames import PROTOCOL, Body, Frame, FrameError, Kind, fields

MAX_HELLO = 512
"""The most bytes of JSON that a HELLO may have."""

_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")
_HELLO = {
    "protocol": _VERSION,
    "harness": re.compile(r"[0-9A-Za-z.+-]{1,32}"),
    "build": re.compile(r"[0-9a-f]{64}"),
}


class Version(NamedTuple):
    """`major.minor`; versions compare as pairs."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> "Version":
        """The version that this text names, or `FrameError`."""
        if not _VERSION.fullmatch(text):
            raise FrameError("protocol is malformed")
        major, minor = text.split(".")
        return cls(int(major), int(minor))

    @property
    def told_in_load(self) -> bool:
        """Whether LOAD to an inside of this version says the evaluator's own."""
        return self >= (1, 1)

    @property
    def sparse(self) -> bool:
        """Whether READY may bring a base row, and REPLY changes to it."""
        return self >= (1, 1)

    @property
    def continues(self) -> bool:
        """Whether a request may say only what it adds to the ones before."""
        return self >= (1, 1)


OURS = Version.parse(PROTOCOL)
OLDEST = Version(OURS.major, 0)
"""The version of an evaluator that tells none."""


def spoken(theirs: Version) -> Version:
    """What both sides understand; the majors are known to be the same."""
    return min(theirs, OURS)


def hello(*, harness: str, build: str) -> dict[str, str]:
    """The body of HELLO."""
    return {"protocol": PROTOCOL, "harness": harness, "build": build}


def read_hello(frame: Frame) -> dict[str, str]:
    """What HELLO says, each value of its form; `FrameError` if the frame is none."""
    if frame.kind is not Kind.HELLO:
        raise FrameError("FAIL where HELLO belongs")
    values = dict(zip(_HELLO, fields(frame.body, **dict.fromkeys(_HELLO, str)), strict=True))
    for key, pattern in _HELLO.items():
        if not pattern.fullmatch(values[key]):
            raise FrameError(f"{key} is malformed")
    return values


def agree(theirs: str) -> Version:
    """What is spoken with an inside that said this in HELLO; another major is `image_missing`."""
    version = Version.parse(theirs)
    if version.major != OURS.major:
        raise OperatorError(
            "image_missing",
            message=f"the runtime speaks protocol {theirs}, not {OURS.major}: build it anew",
        )
    return spoken(version)


def told(body: Body) -> Version:
    """What is spoken with an evaluator whose LOAD has this body."""
    if "protocol" not in body:
        return OLDEST
    if not isinstance(body["protocol"], str):
        raise FrameError("protocol has the wrong type")
    version = Version.parse(body["protocol"])
    if version.major != OURS.major:
        raise FrameError(f"the evaluator speaks protocol {version.major}, not {OURS.major}")
    return spoken(version)
