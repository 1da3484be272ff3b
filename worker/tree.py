"""The tree of one commit, as a worker's settings, a competition's limits and a team's key allow."""

import logging
from collections.abc import Mapping
from threading import Event

from harness.errors import OperatorError, UsageError
from leaderboard import credentials
from worker.fetch import Access, Bounds, Fetched, Secret, fetch, resolve
from worker.settings import Settings
from worker.workplace import Workplace

_log = logging.getLogger(__name__)


def commit_tree(
    workplace: Workplace,
    repo_url: str,
    ref: str,
    *,
    team_id: int,
    limits: Mapping[str, float | int],
    stop: Event,
) -> Fetched:
    """The tree of `ref` (a commit, branch or tag), fetched unless that commit stands here already.

    Raises what `worker.fetch.fetch` raises; `OperatorError` (`evaluator_bug`) also where the team's
    secret cannot be opened here.
    """
    settings = workplace.settings
    return fetch(
        repo_url,
        ref,
        store=settings.code_directory,
        bounds=Bounds(
            max_bytes=int(limits["repo_bytes"]),
            max_files=int(limits["repo_files"]),
            seconds=settings.fetch_seconds,
            large_bytes=int(limits["large_bytes"]),
        ),
        access=access(settings),
        secret=_secret(workplace, team_id, repo_url),
        owner=f"team {team_id}",
        stop=stop,
    )


def commit_of(
    workplace: Workplace,
    repo_url: str,
    ref: str,
    *,
    team_id: int,
    seconds: float,
    stop: Event | None = None,
) -> str:
    """The full id of the commit that `ref` (a branch or tag) names now; nothing is fetched.

    Raises as `commit_tree`.
    """
    return resolve(
        repo_url,
        ref,
        store=workplace.settings.code_directory,
        seconds=seconds,
        access=access(workplace.settings),
        secret=_secret(workplace, team_id, repo_url),
        stop=stop,
    )


def access(settings: Settings) -> Access:
    """Where this worker may clone from."""
    return Access(
        local_root=settings.local_repos,
        hosts=settings.git_hosts,
        private_hosts=settings.git_private_hosts,
        large_hosts=settings.large_hosts,
        ca_file=settings.git_ca_file,
        known_hosts=settings.known_hosts,
    )


def _secret(workplace: Workplace, team_id: int, repo_url: str) -> Secret | None:
    kind = credentials.kind_of(repo_url)
    if kind is None:
        return None
    try:
        return credentials.secret(workplace.db, team_id, kind)
    except UsageError as error:
        _log.error("%s %s", error.message, error.hint)
        raise OperatorError("evaluator_bug", message=error.message) from error
