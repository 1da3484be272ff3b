"""How many bad dialogues of a file may be left out, and who is told of each."""

from collections.abc import Callable

from harness.errors import UsageError


class Tolerance:
    """The leniency of one reading: at most `most` dialogues are left out, none by default.

    `told` hears the error of each that is left out, in the order of the file.
    """

    def __init__(self, most: int = 0, told: Callable[[UsageError], None] | None = None):
        if most < 0:
            raise UsageError(f"skip_bad is {most}; it is a count of 0 or more")
        self.most = most
        self.skipped = 0
        self._told = told

    def take(self, error: UsageError) -> None:
        """Leave one dialogue out for this reason; once too many are, raise it."""
        if self.skipped == self.most:
            raise self._refused(error) from error
        self.skipped += 1
        if self._told:
            self._told(error)

    def expect_some(self, *, name: str, read: int) -> None:
        """Refuse a file of which nothing was read."""
        if read:
            return
        if self.skipped:
            reason = f"{name}: none of its {self.skipped} dialogues can be read"
            raise UsageError(reason, code="bad_data")
        raise UsageError(f"{name}:1: the file is empty", code="bad_data")

    def _refused(self, error: UsageError) -> UsageError:
        if not self.most:
            return error
        return UsageError(
            f"{error.message} (and {self.skipped} bad before it left out, the most allowed)",
            code=error.code,
            hint=error.hint,
        )
