"""The tree of one commit, as a worker's settings and a competition's limits allow it."""

from collections.abc import Mapping
from threading import Event

from worker.fetch import Access, Bounds, Fetched, fetch
from worker.settings import Settings


def commit_tree(
    settings: Settings,
    repo_url: str,
    ref: str,
    *,
    limits: Mapping[str, float | int],
    stop: Event,
) -> Fetched:
    """The tree of `ref` (a commit or a branch), fetched unless that commit stands here already."""
    return fetch(
        repo_url,
        ref,
        store=settings.code_directory,
        bounds=Bounds(
            max_bytes=int(limits["repo_bytes"]),
            max_files=int(limits["repo_files"]),
            seconds=settings.fetch_seconds,
        ),
        access=Access(settings.local_repos, settings.git_hosts),
        stop=stop,
    )
