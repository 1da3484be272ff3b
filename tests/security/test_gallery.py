"""Every hostile submission, repository and list of requirements gets its verdict, everywhere."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cells import load_agent
from gallerybuilds import Builds
from gallerycells import MARK, Ending, complaint, run, wrong
from gallerygit import Gits
from galleryworld import CANARY, GOOD, SMALL, Case, cases, talk
from hosthealth import left_behind

from harness.errors import VERDICTS
from harness.evaluation import evaluate
from worker.images import prepare
from worker.sandbox.choose import open_sandbox

CELLS = {case.name: case for case in cases("cell")}
GITS = {case.name: case for case in cases("git")}
BUILDS = {case.name: case for case in cases("requirements")}
AT_ONCE = 4
WALLED = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
]


@pytest.fixture(scope="module", params=WALLED)
def endings(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Ending]]]:
    """Every submission, run once in this sandbox, several at a time."""
    name: str = request.param
    sandbox = open_sandbox(name, runtime=prepare(name, print))
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(AT_ONCE) as pool:
        patch.setenv("ROSTRUM_DATABASE_URL", CANARY)
        done = pool.map(lambda case: run(sandbox, case), CELLS.values())
        yield getattr(sandbox, "walls", name), dict(zip(CELLS, done, strict=True))


@pytest.fixture(scope="module")
def fetched() -> Iterator[dict[str, Ending]]:
    """Every repository, fetched once, several at a time."""
    with Gits() as gits, ThreadPoolExecutor(AT_ONCE) as pool:
        done = dict(zip(GITS, pool.map(gits.run, GITS.values()), strict=True))
        gits.check()
        yield done


@pytest.mark.parametrize("name", CELLS)
def test_each_submission_gets_its_verdict(
    endings: tuple[str, dict[str, Ending]], name: str
) -> None:
    walls, found = endings
    assert complaint(walls, CELLS[name], found[name]) is None


def test_nothing_is_left_behind(endings: tuple[str, dict[str, Ending]]) -> None:
    _, found = endings
    assert all(ending.exit.gone for ending in found.values() if ending.exit)
    assert left_behind(MARK) == []


def test_an_honest_agent_scores_the_same_inside_and_outside(
    endings: tuple[str, dict[str, Ending]],
) -> None:
    _, found = endings
    outside = evaluate(load_agent(GOOD), talk(), "f1")
    inside = found["good"].report
    assert inside is not None
    assert (inside.score, inside.totals) == (outside.score, outside.totals)


def test_a_kept_log_is_the_bounded_end_of_what_was_printed(
    endings: tuple[str, dict[str, Ending]],
) -> None:
    _, found = endings
    logs = {name: ending.exit.log for name, ending in found.items() if ending.exit}
    assert "to stderr" in logs["prints-noise"]
    assert "the weights are missing" in logs["crash-at-import"]
    assert 0 < len(logs["floods-stderr"]) <= SMALL["log_bytes"]
    assert logs["floods-a-hidden-run"] == logs["prints-hidden-text"] == ""


@pytest.mark.parametrize("name", GITS)
def test_each_repository_gets_its_verdict(fetched: dict[str, Ending], name: str) -> None:
    assert wrong(GITS[name], fetched[name]) is None


@pytest.fixture(scope="module", params=WALLED)
def builds(request: pytest.FixtureRequest) -> Builds:
    return Builds(request.param)


@pytest.mark.parametrize("name", BUILDS)
def test_each_list_of_requirements_gets_its_verdict(builds: Builds, name: str) -> None:
    assert wrong(BUILDS[name], builds.run(BUILDS[name])) is None


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_every_folder_names_a_known_verdict(case: Case) -> None:
    for code, detail in case.verdicts():
        known = VERDICTS.get(code)
        assert known is not None or code in ("scored", "fetched", "installed")
        assert detail is None or (known is not None and detail in known.details)
    assert case.page["about"].endswith(".")


def test_the_gallery_is_large() -> None:
    assert len(cases()) >= 60
