"""What an answer may look like, known before it comes, and the values that its bytes are.

The evaluator knows which sizes are possible when it asks; the JSON then says which one it is, and
is judged before the array is received. `harness.rows` and `harness.agent` check the values.
"""

from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.remote.channel import Judge
from harness.remote.frames import Body, Frame, FrameError, array, dumps, fields, sparse
from harness.rows import START_BYTES, SparseRows, sparse_bytes

_ROWS = "<f4"


class Form(NamedTuple):
    """The most JSON, the possible sizes of the array, and whether JSON and size go together."""

    max_json: int
    sizes: Container[int] = (0,)
    judge: Judge | None = None


def array_form(dtype: str, shape: Sequence[int]) -> Form:
    """One array of exactly this description."""
    described = dumps(array(dtype, shape))
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return Form(len(described), (size,), lambda body, _: _same(body, described))


def rows_form(*, rows: int, words: int, may_be_sparse: bool) -> Form:
    """Dense rows or, if a base row was declared, changes to it that take no more room."""
    dense = array_form(_ROWS, (rows, words))
    if not may_be_sparse:
        return dense
    most = 4 * rows * words
    least = min(most, sparse_bytes(rows=rows, changes=0))
    longest = len(dumps(sparse(rows=rows, changes=most // START_BYTES)))

    def judge(body: Body, size: int) -> None:
        if "sparse" not in body:
            _expect_size(size, most)
            _same(body, dumps(array(_ROWS, (rows, words))))
            return
        changes = _changes(body, rows=rows)
        _expect_size(size, sparse_bytes(rows=rows, changes=changes))

    return Form(max(dense.max_json, longest), range(least, most + 1), judge)


def ready_form(*, words: int | None) -> Form:
    """READY: nothing or, where a base row of so many words may be declared, that row."""
    if words is None:
        return Form(2, judge=lambda body, _: _same(body, b"{}"))
    described = dumps(array(_ROWS, (words,)))
    return Form(
        len(described),
        (0, 4 * words),
        lambda body, size: _same(body, described if size else b"{}"),
    )


def read_array(frame: Frame, dtype: str, shape: Sequence[int]) -> NDArray[Any]:  # Any: its dtype
    """The array of a frame that had this form; a view of its bytes."""
    return np.frombuffer(frame.binary, dtype=dtype).reshape(shape)


def read_rows(frame: Frame, *, rows: int, words: int) -> NDArray[np.float32] | SparseRows:
    """The rows of a frame that had their form; views of its bytes, values unchecked."""
    if "sparse" not in frame.body:
        return read_array(frame, _ROWS, (rows, words))
    first, second = START_BYTES * (rows + 1), frame.body["sparse"]["changes"] * 4
    return SparseRows(
        starts=np.frombuffer(frame.binary[:first], dtype="<i8"),
        columns=np.frombuffer(frame.binary[first : first + second], dtype="<i4"),
        weights=np.frombuffer(frame.binary[first + second :], dtype="<f4"),
    )


def sparse_answer(answer: SparseRows) -> tuple[Body, bytes]:
    """JSON and bytes of sparse rows, whose form was checked."""
    body = sparse(rows=len(answer.starts) - 1, changes=len(answer.columns))
    parts = (answer.starts, answer.columns, answer.weights)
    return body, b"".join(part.tobytes() for part in parts)


def _changes(body: Body, *, rows: int) -> int:
    (said,) = fields(body, sparse=dict)
    found, changes = fields(said, rows=int, changes=int)
    if found != rows or changes < 0:
        raise FrameError(f"sparse rows {found}, not {rows}, or less than no changes")
    return int(changes)


def _same(body: Body, described: bytes) -> None:
    if dumps(body) != described:
        raise FrameError("the array is not described as it was asked for")


def _expect_size(found: int, wanted: int) -> None:
    if found != wanted:
        raise FrameError(f"{found} bytes of array, not the {wanted} of its description")
