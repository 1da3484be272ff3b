"""What is sealed opens with the same key, for the same purpose, and for nobody else."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from leaderboard import settings, vault


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "deep" / "vault_key"
    assert vault.make_key(made)
    return made


def test_what_is_sealed_opens_and_looks_different_each_time(path: Path) -> None:
    key = vault.read_key(path)
    first, second = (vault.seal(key, "secret ü", label="team 1 (ssh)") for _ in range(2))
    assert first != second
    assert b"secret" not in first
    assert vault.unseal(key, first, label="team 1 (ssh)") == "secret ü"


def test_another_team_another_key_or_a_changed_byte_opens_nothing(
    path: Path, tmp_path: Path
) -> None:
    key = vault.read_key(path)
    vault.make_key(tmp_path / "other")
    sealed = vault.seal(key, "secret", label="team 1 (ssh)")
    bent = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for used, content, label in (
        (key, sealed, "team 2 (ssh)"),
        (vault.read_key(tmp_path / "other"), sealed, "team 1 (ssh)"),
        (key, bent, "team 1 (ssh)"),
        (key, b"\x02" + sealed[1:], "team 1 (ssh)"),
        (key, b"", "team 1 (ssh)"),
    ):
        with pytest.raises(UsageError, match="does not open") as refused:
            vault.unseal(used, content, label=label)
        assert "secret" not in refused.value.message.replace("stored secret", "")


def test_the_key_is_its_owners_alone_and_is_made_once(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    key = vault.read_key(path)
    assert not vault.make_key(path)
    assert vault.read_key(path) == key


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_key_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(UsageError, match="open to other users") as refused:
        vault.read_key(path)
    assert refused.value.hint == f"Run `chmod 600 {path}`."


@pytest.mark.parametrize("content", [b"", b"short", b"zz" * 32, b"ab" * 31, b"ab" * 40, b"\xff"])
def test_a_file_that_is_no_key_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        vault.read_key(path)


def test_a_missing_key_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file") as refused:
        vault.read_key(tmp_path / "none")
    assert "rostrum admin init" in refused.value.hint
    assert "ROSTRUM_VAULT_KEY" in refused.value.hint


def test_the_key_may_lie_outside_of_the_home(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_HOME", str(tmp_path))
    assert settings.vault_key_path() == tmp_path / "vault_key"
    monkeypatch.setenv("ROSTRUM_VAULT_KEY", str(path))
    assert vault.read_key() == vault.read_key(path)


def test_a_secret_is_not_shown_by_accident() -> None:
    secret = vault.Secret("https", "user", "canary")
    assert "canary" not in f"{secret} {secret!r}"
