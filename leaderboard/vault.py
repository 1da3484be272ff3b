"""Keeps the secrets of teams encrypted: AES-256-GCM under a key in a file of the installation.

What is sealed names its purpose (`label`), so that a row copied to another team opens for nobody.
The key is made by `rostrum admin init`; who lacks it can open nothing, who loses it makes new
deploy keys and tokens.
"""

import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.errors import UsageError
from leaderboard import settings

Kind = Literal["ssh", "https"]

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens one private repository: a private key (`ssh`), or a token and its user (`https`).

    `value` is in clear: it belongs into a fetch, never into a log, an argument or a page.
    """

    kind: Kind
    user: str
    value: str = field(repr=False)


def make_key(path: Path) -> bool:
    """Make the key file for its owner alone; False where it is there already, and is one."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        read_key(path)
        return False
    except OSError as error:
        raise UsageError(
            f"the vault key {path} cannot be made: {error.strerror}",
            code="no_vault_key",
            hint="Set ROSTRUM_VAULT_KEY to a file in a folder that you may write to.",
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(KEY_BYTES).encode("ascii") + b"\n")
    return True


def read_key(path: Path | None = None) -> bytes:
    """The key; `UsageError` (`no_vault_key`) where it is absent, open to others, or not a key."""
    path = path or settings.vault_key_path()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(2 * KEY_BYTES + 2)
    except OSError as error:
        raise UsageError(
            f"the vault key {path} cannot be read: {error.strerror}",
            code="no_vault_key",
            hint="Run `rostrum admin init` on the site, and copy the file to each worker (mode "
            "0600), or name it by ROSTRUM_VAULT_KEY.",
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(
            f"the vault key {path} is open to other users (mode {stat.S_IMODE(mode):04o})",
            code="no_vault_key",
            hint=f"Run `chmod 600 {path}`.",
        )
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise UsageError(
            f"the vault key {path} is not {2 * KEY_BYTES} hexadecimal digits",
            code="no_vault_key",
            hint="Restore the file; or remove it, run `rostrum admin init`, and make the teams' "
            "keys and tokens anew.",
        )
    return key


def seal(key: bytes, value: str, *, label: str) -> bytes:
    """The value encrypted; it opens only under the same key and label."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, value.encode("utf-8"), label.encode())


def unseal(key: bytes, sealed: bytes, *, label: str) -> str:
    """What `seal` was given; `UsageError` (`sealed_otherwise`) where the key or label differs."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, content = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        if sealed[:1] != _VERSION:
            raise InvalidTag
        return AESGCM(key).decrypt(nonce, content, label.encode()).decode("utf-8")
    except (InvalidTag, ValueError) as error:
        raise UsageError(
            f"the stored secret of {label} does not open with this vault key",
            code="sealed_otherwise",
            hint="Use the ROSTRUM_VAULT_KEY that it was stored with, or make it anew: `rostrum "
            "admin teams key NAME --new`, `rostrum admin teams token NAME`.",
        ) from error
