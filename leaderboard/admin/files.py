"""Reading a file that an organizer names: small, UTF-8, with a sentence for what is not."""

from pathlib import Path

from harness.errors import UsageError


def read_text(file: Path, *, limit: int, bad: str) -> str:
    """The text of a file of at most `limit` bytes.

    `UsageError` where it is larger, with the code `no_file` where it cannot be read, and `bad`
    where it is no text.
    """
    try:
        with file.open("rb") as found:
            content = found.read(limit + 1)
        if len(content) > limit:
            raise UsageError(f"{file} is larger than {limit} bytes")
        return content.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", code="no_file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: {error.reason}", code=bad) from error
