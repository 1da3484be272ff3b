"""Deploy keys and tokens of teams: stored sealed, shown by their public half, opened by kind."""

import subprocess
from pathlib import Path

import pytest
from house import House
from sqlalchemy import select, text

from harness.errors import UsageError
from leaderboard import credentials, settings, teams, vault
from leaderboard.db.engine import Database
from leaderboard.db.models import Credential


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROSTRUM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ROSTRUM_VAULT_KEY", raising=False)
    vault.make_key(settings.vault_key_path())
    return tmp_path / "home"


def everything(db: Database) -> str:
    """What somebody sees who copies the table."""
    with db.read() as session:
        return repr(session.execute(text("SELECT * FROM credentials")).all())


def ssh_keygen(*arguments: str) -> str:
    done = subprocess.run(
        ["ssh-keygen", *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout


@pytest.mark.ssh
def test_a_deploy_key_is_made_once_and_ssh_reads_both_halves(
    house: House, db: Database, tmp_path: Path
) -> None:
    team = house.team()
    made = credentials.make_key(db, team)
    assert credentials.make_key(db, team) == made
    assert made.public.startswith("ssh-ed25519 ")
    assert made.public.endswith(f" rostrum-spc-team-{team}")
    secret = credentials.secret(db, team, "ssh")
    assert secret is not None
    private = tmp_path / "private"
    private.touch(mode=0o600)
    private.write_text(secret.value, "ascii")
    derived = ssh_keygen("-y", "-f", str(private))
    assert derived.split()[:2] == made.public.split()[:2]
    public = tmp_path / "key.pub"
    public.write_text(made.public, "ascii")
    listed = ssh_keygen("-l", "-f", str(public))
    assert listed.split()[1] == credentials.fingerprint(made.public)


def test_a_new_key_replaces_the_old_one(house: House, db: Database) -> None:
    team = house.team()
    old, old_secret = credentials.make_key(db, team), credentials.secret(db, team, "ssh")
    new, new_secret = credentials.make_key(db, team, new=True), credentials.secret(db, team, "ssh")
    assert new.public != old.public
    assert new_secret != old_secret
    assert credentials.stored(db, team) == [new]


def test_nothing_secret_is_in_the_table(house: House, db: Database) -> None:
    team = house.team()
    credentials.make_key(db, team)
    credentials.keep_token(db, team, user="oauth2", token="canary-token\n")
    assert credentials.secret(db, team, "https") == vault.Secret("https", "oauth2", "canary-token")
    seen = everything(db)
    assert "canary" not in seen
    assert "PRIVATE KEY" not in seen
    with db.read() as session:
        for sealed in session.scalars(select(Credential.sealed)):
            assert b"canary" not in sealed
            assert b"PRIVATE" not in sealed


def test_a_row_copied_to_another_team_opens_nothing(house: House, db: Database) -> None:
    owls, cats = house.team("owls"), house.team("cats")
    credentials.keep_token(db, owls, user="u", token="one")
    credentials.keep_token(db, cats, user="u", token="two")
    with db.write() as session:
        rows = list(session.scalars(select(Credential).order_by(Credential.team_id)))
        rows[1].sealed = rows[0].sealed
    with pytest.raises(UsageError, match="does not open"):
        credentials.secret(db, cats, "https")


def test_kinds_are_kept_apart(house: House, db: Database) -> None:
    team = house.team()
    assert credentials.secret(db, team, "ssh") is None
    credentials.keep_token(db, team, user="u", token="t")
    assert credentials.secret(db, team, "ssh") is None
    assert credentials.secret(db, team, "file") is None
    credentials.keep_token(db, team, user="v", token="other")
    assert [one.public for one in credentials.stored(db, team)] == ["v"]
    assert credentials.forget(db, team, "https")
    assert not credentials.forget(db, team, "https")
    assert credentials.secret(db, team, "https") is None


@pytest.mark.parametrize("token", ["", " ", "two words", "line\nbreak", "ü", "x" * 1001, "\x00"])
def test_what_is_no_token_is_refused_without_repeating_it(
    house: House, db: Database, token: str
) -> None:
    with pytest.raises(UsageError, match="the token is not one line") as refused:
        credentials.keep_token(db, house.team(), user="u", token=token)
    assert refused.value.code == "bad_token"
    assert len(token) < 5 or token not in f"{refused.value.message}{refused.value.hint}"


@pytest.mark.parametrize("user", ["", "a:b", "a b", "ü", "a\r\nX-Evil: 1", "x" * 201])
def test_a_user_cannot_smuggle_a_header(house: House, db: Database, user: str) -> None:
    with pytest.raises(UsageError, match="the user"):
        credentials.keep_token(db, house.team(), user=user, token="t")


def test_without_the_vault_key_nothing_is_made_or_opened(
    house: House, db: Database, home: Path
) -> None:
    team = house.team()
    credentials.make_key(db, team)
    (home / "vault_key").unlink()
    for action in (
        lambda: credentials.secret(db, team, "ssh"),
        lambda: credentials.make_key(db, team, new=True),
        lambda: credentials.keep_token(db, team, user="u", token="t"),
    ):
        with pytest.raises(UsageError, match="cannot be read") as refused:
            action()
        assert refused.value.code == "no_vault_key"
    vault.make_key(home / "vault_key")
    with pytest.raises(UsageError, match="does not open"):
        credentials.secret(db, team, "ssh")


def test_a_team_that_is_not_there_gets_nothing(db: Database) -> None:
    with pytest.raises(UsageError, match="no team 99"):
        credentials.make_key(db, 99)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("ssh://git@host.example/team/repo", "ssh"),
        ("git@github.com:team/repo.git", "ssh"),
        ("https://github.com/team/repo", "https"),
        ("/srv/repos/team", None),
        ("http://github.com/team/repo", None),
        ("x", None),
    ],
)
def test_an_address_tells_what_opens_it(address: str, kind: str | None) -> None:
    assert credentials.kind_of(address) == kind


def test_a_team_that_moves_to_another_host_takes_no_token_along(house: House, db: Database) -> None:
    owls = teams.add(
        db, "spc", name="o", repo_url="https://git.a/x", branch="main", baseline=False
    ).team
    credentials.keep_token(db, owls.id, user="u", token="t")
    moved = teams.move(db, owls.id, repo_url="https://git.a/y", branch="dev")
    assert (moved.repo_url, moved.branch) == ("https://git.a/y", "dev")
    assert credentials.secret(db, owls.id, "https") is not None
    moved = teams.move(db, owls.id, repo_url="https://git.a:444/y")
    assert moved.branch == "dev"
    assert credentials.secret(db, owls.id, "https") is None
    assert credentials.listing(db, "spc") == {}


@pytest.mark.parametrize("url", ["https://user:pw@git.a/x", "https://token@git.a/x"])
def test_an_address_with_a_password_is_refused_before_it_is_stored(
    house: House, db: Database, url: str
) -> None:
    with pytest.raises(UsageError, match="a user name or a password") as refused:
        teams.add(db, "spc", name="o", repo_url=url, branch="main", baseline=False)
    assert "rostrum admin teams token" in refused.value.hint
    with pytest.raises(UsageError, match="a user name or a password"):
        teams.move(db, house.team(), repo_url=url)
