"""What a check says of each step: the line that sums it up, and what a participant should know."""

from collections.abc import Sequence
from pathlib import Path

from harness.agent import Track
from harness.rendering import figures
from harness.report import Report
from harness.submission import read_description
from worker.check.folder import Bounds, Copied, Folder
from worker.check.rules import Rules
from worker.images.parcel import Package
from worker.sandbox import Limits

_SHOWN = 3
"""Names in a list, before "and 12 more"."""

_CLOSE = 0.8
"""The share of a limit from which on a check warns."""

_KEYS = ("name", "gpu", "weights")
_UNITS = ((30, "GiB"), (20, "MiB"), (10, "KiB"))


def size(count: int) -> str:
    """Bytes as people read them: 4 GiB, 3.2 MiB, 12 bytes."""
    for power, unit in _UNITS:
        if count >= 1 << power:
            return f"{count / (1 << power):.3g} {unit}"
    return f"{count} bytes"


def tree_line(copied: Copied, bounds: Bounds) -> str:
    """`14 files, 3.2 MiB (at most 10,000 files, 1 GiB)`."""
    line = (
        f"{figures.plural(copied.files, 'file')}, {size(copied.bytes)} "
        f"(at most {bounds.max_files:,} files, {size(bounds.max_bytes)})"
    )
    if copied.large:
        large = figures.plural(copied.large, "large file")
        line += f"; {large}, {size(copied.large_bytes)} (at most {size(bounds.large_bytes)})"
    return line


def of_tree(folder: Folder) -> tuple[str, ...]:
    """What the server would not see, because no commit holds it."""
    if folder.listed is None:
        return ()
    told = []
    if folder.listed.unsaved:
        told.append(
            f"not committed yet, so the server would not see it: {_some(folder.listed.unsaved)}"
        )
    if left := [path for path in folder.listed.ignored if not _rubbish(path)]:
        told.append(
            f"left out, as .gitignore says: {_some([_sized(folder, path) for path in left])}"
        )
    return tuple(told)


def entry_line(name: str, tracks: Sequence[Track], *, gpu: bool) -> str:
    """`"My ranker" enters hits and f1`."""
    asked = ", asks for a GPU" if gpu else ""
    return f'"{name}" enters {_listed(tracks)}{asked}'


def of_entry(tree: Path, rules: Rules, *, wanted: bool, gpu: str | None) -> tuple[str, ...]:
    """What is odd about rostrum.toml, and what its wish for a device means here."""
    told = []
    try:
        unknown = [key for key in read_description(tree) if key not in _KEYS]
    except FileNotFoundError:
        unknown = []
    except (OSError, ValueError, RecursionError) as error:
        unknown = []
        told.append(f"rostrum.toml is not read, by the server neither: {error}")
    if unknown:
        told.append(f"rostrum.toml says what nobody reads: {_some(unknown)}; known: name, gpu")
    if wanted and gpu is None:
        told.append("this machine has no GPU to show: the check goes on without one")
    if wanted and not rules.known:
        told.append("whether the competition offers a GPU is not known: --limits or --site says it")
    return tuple(told)


def no_requirements(tree: Path) -> str:
    """Why nothing is installed."""
    there = (tree / "requirements.txt").is_file()
    return "requirements.txt asks for nothing" if there else "none (no requirements.txt)"


def packages(found: Sequence[Package]) -> str:
    """`3 packages: a 1.0, b 2.1, c 3`."""
    names = [f"{package.name} {package.version}" for package in found]
    return f"{figures.plural(len(names), 'package')}: {_some(names)}"


def not_entered(track: Track, tree: Path) -> str:
    """Why a track is not asked."""
    if (tree / f"eval_{track}.py").is_file():
        return "not asked (--track)"
    return f"not entered (no eval_{track}.py)"


def track_line(report: Report) -> str:
    """`hits@1 42.10 %, 95 % interval 36.00 to 48.30, 143 examples`."""
    score = figures.headline(report)
    return (
        f"{figures.title(report)} {figures.text(score.value, score.unit)}, 95 % interval "
        f"{figures.interval(score)}, {figures.plural(score.n, 'example')}"
    )


def of_track(
    report: Report, limits: Limits, *, peak: int | None, talks: bool | None, whole: int
) -> tuple[str, ...]:
    """What comes close to a limit, and what else is worth knowing."""
    told = []
    if peak is not None and peak > _CLOSE * limits.memory:
        told.append(f"it used {size(peak)} of memory; the limit is {size(limits.memory)}")
    pace = report.score.n / report.seconds if report.seconds > 0 else 0.0
    if pace and whole / pace > _CLOSE * limits.total:
        told.append(
            f"at {pace:,.1f} examples a second all {whole:,} of this set would take "
            f"{figures.seconds(whole / pace)}; the limit is {figures.seconds(limits.total)}"
        )
    if talks is False:
        told.append("it does not answer a chat's first line: as a finalist it could not chat")
    return tuple(told)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _rubbish(path: str) -> bool:
    return any(part in ("__pycache__", ".venv", ".git") for part in path.split("/")) or (
        path.rstrip("/").rpartition("/")[2].startswith(".") and path.endswith("/")
    )


def _sized(folder: Folder, path: str) -> str:
    place = folder.root / path
    if path.endswith("/") or not place.is_file():
        return path
    return f"{path} ({size(place.stat().st_size)})"
