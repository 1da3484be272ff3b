"""A list of replies on disk, and its encodings, which are kept as long as they are true.

Encodings are true of one list, one vocabulary and one state of the weights: a fingerprint of all
three is stored with them.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from torch import Tensor, nn

from harness.errors import UsageError
from harness.torch.checkpoint import Checkpoint
from harness.torch.sources import Fixed
from harness.torch.words import Words

LISTED, ENCODED = "candidates.json", "candidates.safetensors"
"""The names of the list and its encodings in a checkpoint."""

MAX_BYTES = 512 * 1024 * 1024
"""The largest file of candidates that is read."""

MAX_LINE = 16 * 1024
"""The longest candidate that is read, in bytes."""


class Mode(Protocol):
    """The options that say where encodings of a list are kept."""

    @property
    def fixed_candidates(self) -> str | None:
        """The file of the list, or None."""

    @property
    def encodings(self) -> str:
        """`reuse`, `replace`, or the path of stored encodings."""


class Encodings:
    """The encodings of an agent's list `[N, D]`: in memory, in its checkpoint, beside its file."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self._made: tuple[str, Tensor] | None = None
        self._stored: bytes | None = None

    def of(
        self,
        fixed: Fixed,
        *,
        make: Callable[[], Tensor | None],
        fingerprint: Callable[[], str],
        device: torch.device,
    ) -> Tensor | None:
        """Encodings that are true of this fingerprint: known, read, or else made and stored.

        `UsageError` where a path was named and what is there does not fit.
        """
        if self._made is None:
            mark = fingerprint()
            found = self._read(mark, count=len(fixed.texts))
            encoded = make() if found is None else found.to(device)
            if encoded is None:
                return None
            self._made = (mark, encoded)
            if found is None:
                self._keep()
        return self._made[1]

    def forget(self) -> None:
        """The list or the weights are others now."""
        self._made, self._stored = None, None

    def restored(self, stored: Checkpoint) -> None:
        """What a checkpoint holds may be true."""
        if ENCODED in stored.config.get("files", []):
            self._stored = stored.file(ENCODED)

    def to_bytes(self) -> bytes | None:
        """The encodings as a file's content, if they are known."""
        if self._made is None:
            return None
        mark, encoded = self._made
        return save_bytes({"encodings": encoded.cpu().contiguous()}, {"fingerprint": mark})

    def _read(self, mark: str, *, count: int) -> Tensor | None:
        """Stored encodings that fit, by the mode; None where new ones are to be made."""
        if self.mode.encodings == "replace":
            return None
        if self.mode.encodings == "reuse":
            stored = self._stored if self._stored is not None else _content(self._beside)
            return _true_of(stored, mark, count=count)
        path = Path(self.mode.encodings)
        found = _true_of(_content(path), mark, count=count)
        if found is None:
            raise UsageError(
                f"{path} holds no encodings of these replies by these weights; set "
                "ranking.encodings to reuse or replace"
            )
        return found

    def _keep(self) -> None:
        """Store beside the list's file, where there is one; a folder may be read-only."""
        path, content = self._beside, self.to_bytes()
        if path is None or content is None or self.mode.encodings not in ("reuse", "replace"):
            return
        fresh = path.with_name(f".{path.name}.fresh")
        try:
            fresh.write_bytes(content)
            fresh.replace(path)
        except OSError:
            return

    @property
    def _beside(self) -> Path | None:
        file = self.mode.fixed_candidates
        return Path(f"{file}.encodings.safetensors") if file is not None else None


def fingerprint(model: nn.Module, words: Words, fixed: Fixed) -> str:
    """64 hex digits that change with a weight, a word or a reply."""
    digest = hashlib.sha256()
    for part in (words.words, fixed.texts, fixed.vecs):
        digest.update(json.dumps(part, ensure_ascii=True).encode("ascii"))
    for name, weight in model.state_dict().items():
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def to_files(texts: Sequence[str], encodings: Encodings) -> dict[str, bytes]:
    """A list, and its encodings if they are known, as files of a checkpoint."""
    listed = json.dumps(list(texts), ensure_ascii=False, indent=0).encode("utf-8")
    encoded = encodings.to_bytes()
    return {LISTED: listed} | ({ENCODED: encoded} if encoded is not None else {})


def listed(content: bytes, *, place: str) -> list[str]:
    """The list that `to_files` wrote."""
    try:
        texts = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        texts = None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{place} is damaged: it is not a list of replies; train again")
    return texts


def read_lines(path: Path) -> list[str]:
    """The replies in a file, one a line; `FILE:LINE: reason` where one cannot be."""
    try:
        with path.open("rb") as file:
            lines = list(iter(lambda: file.readline(MAX_LINE + 2), b""))
    except OSError as error:
        raise UsageError(f"cannot read the candidates {path}: {error.strerror}") from error
    texts = [_reply(line, place=f"{path}:{number}") for number, line in enumerate(lines, 1)]
    return [text for text in texts if text]


def _reply(line: bytes, *, place: str) -> str:
    if len(line.rstrip(b"\r\n")) > MAX_LINE:
        raise UsageError(f"{place}: a candidate has at most {MAX_LINE} bytes")
    try:
        return line.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise UsageError(f"{place}: not UTF-8") from None


def _content(path: Path | None) -> bytes | None:
    """What a file holds; None where it cannot be read or is too large."""
    try:
        if path is None or path.stat().st_size > MAX_BYTES:
            return None
        return path.read_bytes()
    except OSError:
        return None


def _true_of(content: bytes | None, mark: str, *, count: int) -> Tensor | None:
    """The encodings in a file's content, if they are of this fingerprint."""
    if content is None or _mark_of(content) != mark:
        return None
    try:
        found = load_bytes(content).get("encodings")
    except SafetensorError:
        return None
    return found if found is not None and found.dim() == 2 and len(found) == count else None


def _mark_of(content: bytes) -> str | None:
    """The fingerprint in a safetensors file: 8 bytes of length, then a header of JSON."""
    size = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + min(size, 1 << 20)])
        mark = header["__metadata__"]["fingerprint"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return mark if isinstance(mark, str) else None
