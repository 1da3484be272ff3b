"""`rostrum compare`: what is said of two runs and of more, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from reportworld import HOSTILE, Says, dialogues, saved
from rich.console import Console

from harness.cli.compare import compare
from harness.comparison import Difference
from harness.errors import UsageError
from harness.rendering import contrast, contrast_terminal
from harness.report import Report


def ran(*arguments: object) -> Result:
    result = CliRunner().invoke(compare, [str(it) for it in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """A run that shares words with the replies, and one that shares none."""
    talks = dialogues(12)
    good = saved(tmp_path / "good.json", "f1", agent=Says("i like cats a lot"), over=talks)
    bad = saved(tmp_path / "bad.json", "f1", agent=Says("zebra zebra"), over=talks)
    return [bad, good]


@pytest.fixture
def three(two: list[Path], tmp_path: Path) -> list[Path]:
    """The same run once more."""
    path = tmp_path / "again.json"
    path.write_bytes(two[1].read_bytes())
    return [*two, path]


def test_two_runs_get_one_plain_sentence(two: list[Path]) -> None:
    lines = ran(*two).output.splitlines()

    assert lines[0].startswith("good is better than bad in F1 by ")
    assert "points [" in lines[0]
    assert lines[0].endswith("p < .001.")
    assert [line.split()[0] for line in lines[1:4]] == ["F1", "precision", "recall"]
    assert lines[-1] == "Differences are good less bad, over 12 dialogues that both answered."


def test_the_sentence_does_not_hang_on_the_order(two: list[Path]) -> None:
    one, other = (ran(*files).output.splitlines()[0] for files in (two, two[::-1]))

    assert one.split(", p")[0] == other.split(", p")[0]


def test_equal_runs_are_told_so(three: list[Path]) -> None:
    assert ran(*three[1:]).output.startswith("good and again have the same F1.")


def test_more_runs_are_ranked_with_ranges(three: list[Path]) -> None:
    lines = ran(*three).output.splitlines()

    assert lines[0].startswith("rank 1 to 2: good ")
    assert lines[1].startswith("rank 1 to 2: again ")
    assert lines[2].startswith("rank 3: bad 0.00 %")
    assert "again and good have the same F1." in lines


def test_one_measure_can_be_asked_for(three: list[Path]) -> None:
    assert "precision" in ran(*three, "--metric", "precision").output
    assert len(ran(*three[:2], "--metric", "recall").output.splitlines()) == 3
    with pytest.raises(UsageError, match="cannot compare on 'mrr'"):
        ran(*three[:2], "--metric", "mrr")


def test_json_holds_the_numbers(three: list[Path]) -> None:
    document = json.loads(ran(*three[:2], "--json").output)
    assert document["sentence"].startswith("good is better")
    assert document["differences"][0]["value"] > 0
    assert document["differences"][0]["first_score"] > document["differences"][0]["second_score"]

    document = json.loads(ran(*three, "--json").output)
    assert document["systems"][2] == {"name": "bad", "value": 0.0, "best": 3, "worst": 3}
    assert len(document["pairs"]) == 3


def test_an_infinite_perplexity_is_worse_than_any(tmp_path: Path) -> None:
    files = [
        saved(tmp_path / f"{name}.json", "ppl", agent=Says(zero=zero), over=dialogues(12))
        for name, zero in (("fine", False), ("endless", True))
    ]

    out = ran(*files).output
    assert out.startswith("fine is better than endless in perplexity by an infinite difference, p")
    assert "difference +infinite (" in out
    assert json.loads(ran(*files, "--json").output)["differences"][0]["value"] is None
    assert ran(*files, "--html", tmp_path / "x.html").exit_code == 0


def test_a_page_compares_two_or_more(three: list[Path], tmp_path: Path) -> None:
    for files in (three[:2], three):
        page = tmp_path / "x.html"
        assert ran(*files, "--html", page).output == f"wrote {page}\n"
        text = page.read_text("utf-8")
        assert text.count('class="dot"') >= 3
        assert "<script" not in text
        assert "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_a_terminal(three: list[Path], columns: int) -> None:
    reports = [Report.load(path) for path in three]
    for files, make in ((reports[:2], contrast.two), (reports, contrast.many)):
        console = Console(width=columns, record=True, file=None, force_terminal=True, quiet=False)
        with console.capture() as capture:
            shown = make(("bad", "good", "again")[: len(files)], files, metric=None)
            contrast_terminal.show(shown, console)
        assert "…" not in capture.get()
        assert "F1" in capture.get()


def test_runs_over_different_sets_are_refused(two: list[Path], tmp_path: Path) -> None:
    other = saved(tmp_path / "other.json", "f1", over=dialogues(12, said="other ?"))
    hits = saved(tmp_path / "hits.json", "hits", over=dialogues(12))

    with pytest.raises(UsageError, match="the reports differ in data"):
        ran(two[0], other)
    with pytest.raises(UsageError, match="the reports differ in track"):
        ran(two[0], hits)


def test_signatures_that_differ_without_harm_are_named(two: list[Path]) -> None:
    made = Report.load(two[1])
    replace(made, signature=made.signature.replace("seed:0", "seed:7")).save(two[1])

    assert "The signatures differ in seed, which does not matter." in ran(*two).output


@pytest.mark.parametrize(
    ("names", "called"),
    [("ours, theirs", ("ours", "theirs")), (None, ("run (1)", "run (2)"))],
)
def test_runs_have_names(names: str | None, called: tuple[str, ...]) -> None:
    assert contrast.called(names, ["run", "run"]) == called


@pytest.mark.parametrize("names", ["one", "one,one", "one,", "a,b,c"])
def test_names_must_name_each(names: str) -> None:
    with pytest.raises(UsageError, match="does not name 2 reports"):
        contrast.called(names, ["x", "y"])


def test_one_report_or_very_many_are_refused(two: list[Path]) -> None:
    with pytest.raises(UsageError, match="compare takes 2 to 50 reports, not 1"):
        ran(two[0])
    with pytest.raises(UsageError, match="not 51"):
        ran(*two[:1] * 51)
    assert ran().exit_code == 2


def test_names_cannot_steer_the_terminal(two: list[Path]) -> None:
    name = HOSTILE.replace(",", "")
    out = ran(*two, "--names", f"{name},b").output

    assert "\x1b" not in out
    assert "\u202e" not in out


def difference(value: float, low: float, high: float, **facts: object) -> Difference:
    known = {
        "metric": "f1", "p": 0.01, "n": 9, "dialogues": 9, "unit": "fraction",
        "higher_is_better": True, "first": 0.5, "second": 0.4,
    }  # fmt: skip
    return Difference(value=value, low=low, high=high, **{**known, **facts})  # type: ignore[arg-type]  # as given


@pytest.mark.parametrize(
    ("found", "p", "said"),
    [
        (difference(0.023, 0.004, 0.041), 0.012,
         "B is better than A in F1 by 2.30 points [0.40, 4.10], p = .012."),
        (difference(-0.023, -0.041, -0.004), 0.012,
         "A is better than B in F1 by 2.30 points [0.40, 4.10], p = .012."),
        (difference(0.023, -0.01, 0.041), 0.2,
         "No difference in F1 between A and B can be told from this data: "
         "2.30 points [-1.00, 4.10], p = .200."),
        (difference(2, 1, 3, metric="length", unit="words", higher_is_better=None), 0.0001,
         "B has the greater length, by 2.00 words [1.00, 3.00], p < .001."),
        (difference(0.6931471805599453, 0.1, 1, metric="ppl", unit="nats", scale="log",
                    higher_is_better=False), 0.03,
         "A is better than B in perplexity by 50.00 % [9.52, 63.21], p = .030."),
        (difference(0, 0, 0), 1.0, "A and B have the same F1."),
    ],
)  # fmt: skip
def test_sentences(found: Difference, p: float, said: str) -> None:
    assert contrast.sentence(found, names=("A", "B"), p=p) == said
