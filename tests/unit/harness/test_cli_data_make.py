"""`rostrum data import`, `split`, `candidates` and `audit` as a person runs them."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from harness.cli.data import COMMANDS, data
from harness.data import fbdialog, jsonl, load
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError

CSV = """user 1 personas,user 2 personas,Best Generated Conversation
"I cook.","I ski.","User 1: Hi!
User 2: Oh, hi.
User 1: What now?
User 2: Red cats."
I sing.,I read.,"User 1: You?
User 2: Me!
User 1: Why?
User 2: Blue dogs."
x,y,nobody says a word
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(data, [str(one) for one in arguments], catch_exceptions=False)


def made(*arguments: object) -> dict[str, object]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0
    document: dict[str, object] = json.loads(result.stdout)
    return document


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    (tmp_path / "spc_valid.csv").write_text(CSV, encoding="utf-8")
    return tmp_path / "spc_valid.csv"


def test_spc_becomes_dialogues_and_the_rest_is_told(csv: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"spc_valid\.csv:10: no line of the talk"):
        run("import", "spc", csv, "--out", tmp_path / "x")
    assert not list((tmp_path / "x").iterdir())

    result = run("import", "spc", csv, "--out", tmp_path / "x", "--skip-bad", "1")

    target = tmp_path / "x" / "spc_valid.jsonl"
    assert f"{target}: 2 dialogues, 4 examples of 2 talks\nleft out: 1 bad talk, " in result.output
    assert "left out: " in result.stderr
    first = load(target)[0]
    assert (first.id, first.persona, first.partner_persona) == ("1.2", ("i ski .",), ())


@pytest.mark.parametrize(
    ("persona", "kept"),
    [
        ("self", (("i ski .",), ())),
        ("both", (("i ski .",), ("i cook .",))),
        ("other", ((), ("i cook .",))),
        ("none", ((), ())),
    ],
)
def test_spc_keeps_the_personas_of_a_variant(
    csv: Path, tmp_path: Path, persona: str, kept: tuple[object, object]
) -> None:
    options = ("--skip-bad", 1, "--persona", persona, "--format", "fbdialog")
    document = made("import", "spc", csv, "--out", tmp_path, *options)
    assert document["file"] == str(tmp_path / "spc_valid.txt")
    first = fbdialog.read(tmp_path / "spc_valid.txt")[0]
    assert (first.persona, first.partner_persona) == kept


def test_spc_with_both_sides_and_borrowed_lists(csv: Path, tmp_path: Path) -> None:
    options = ("--skip-bad", 1, "--sides", "both", "--candidates", 2, "--seed", 1)
    result = run("import", "spc", csv, "--out", tmp_path, *options)

    dialogues = load(tmp_path / "spc_valid.jsonl")
    assert [one.id for one in dialogues] == ["1.1", "1.2", "2.1", "2.2"]
    said = {one.id[0]: set[str]() for one in dialogues}
    for one in dialogues:
        said[one.id[0]].update(e.replies[0] for e in one.examples)
    for one in dialogues:
        other = said["2" if one.id[0] == "1" else "1"]
        for example in one.examples:
            assert len(example.candidates) == 2
            assert set(example.candidates) - {example.replies[0]} <= other
    assert "for a hidden set draw them from another file" in result.output
    assert result.output.count("1 bad talk") == 1
    assert result.stderr.count("left out: ") == 1


def test_fbdialog_goes_to_jsonl_and_back(tmp_path: Path) -> None:
    talk = Dialogue("1", ("i ski .",), (), (Example(("hi",), ("ho", "hu"), ("ho", "x"), "2"),))
    fbdialog.write(tmp_path / "a.txt", [talk])

    told = run("import", "fbdialog", tmp_path / "a.txt", "--out", tmp_path / "b.jsonl").output
    back = ("--out", tmp_path / "c.txt", "--to", "fbdialog")
    made("import", "fbdialog", tmp_path / "b.jsonl", *back)

    assert told == f"{tmp_path / 'b.jsonl'}: 1 dialogue, 1 example\n"
    assert (tmp_path / "c.txt").read_bytes() == (tmp_path / "a.txt").read_bytes()


def test_a_folder_that_cannot_be_made_is_the_users_error(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "a.jsonl", numbered(1))
    with pytest.raises(UsageError, match=r"cannot write .*b\.jsonl: File exists"):
        run("import", "fbdialog", tmp_path / "a.jsonl", "--out", tmp_path / "a.jsonl" / "b.jsonl")


def test_convai_logs_become_dialogues_and_ratings(tmp_path: Path) -> None:
    said = [{"sender_class": who, "text": text} for who, text in (("Human", "hi"), ("Bot", "ho"))]
    talks = [{"dialog": said, "eval_score": 4, "profile_match": 1}, {"dialog": said[:1]}, {}]
    (tmp_path / "logs.json").write_text(json.dumps(talks), encoding="utf-8")
    with pytest.raises(UsageError, match=r"logs\.json: talk 3: dialog is not"):
        run("import", "convai-logs", tmp_path / "logs.json", "--out", tmp_path / "x")

    options = ("--out", tmp_path / "x", "--skip-bad", 1)
    result = run("import", "convai-logs", tmp_path / "logs.json", *options)
    document = made("import", "convai-logs", tmp_path / "logs.json", *options)

    assert "1 dialogue, 1 example of 2 talks" in result.output
    assert "1 talk in which the bot never spoke" in result.output
    assert (document["rated"], document["left_out"]) == (1, 1)
    ratings = json.loads((tmp_path / "x" / "logs.ratings.json").read_text("utf-8"))["ratings"]
    assert [(one["dialogue"], one["eval_score"]) for one in ratings] == [("1", 4), (None, None)]
    assert load(tmp_path / "x" / "logs.jsonl")[0].examples[0].replies == ("ho",)


def numbered(count: int, *, mark: str = "x") -> list[Dialogue]:
    return [
        Dialogue(
            f"{mark}{n}",
            (f"i am {n} .",),
            (),
            tuple(Example((f"ask{mark} {n} {t}",), (f"say{mark} {n:03} {t}",)) for t in range(3)),
        )
        for n in range(count)
    ]


def test_split_writes_three_files_that_share_nothing(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "train_all.jsonl", numbered(50))

    result = run("split", tmp_path / "train_all.jsonl", "--out", tmp_path / "s")
    document = made(
        "split", tmp_path / "train_all.jsonl", "--out", tmp_path / "s", "--name", "b", "--test", 0
    )

    train, valid, test = (
        {one.id for one in load(tmp_path / "s" / f"{name}_all.jsonl")}
        for name in ("train", "valid", "test")
    )
    assert [len(train), len(valid), len(test)] == [40, 5, 5]
    assert len(train | valid | test) == 50
    assert "drawn from 50 groups of dialogues" in result.output
    assert document["dialogues"] == {"train": 45, "valid": 5, "test": 0}
    assert set(document["files"]) == {"train", "valid"}  # type: ignore[call-overload]  # a JSON object


def test_split_says_if_the_sizes_are_not_as_wished(tmp_path: Path) -> None:
    same = [Dialogue(one.id, ("i am me .",), (), one.examples) for one in numbered(20)]
    jsonl.write(tmp_path / "a.jsonl", same)
    result = run("split", tmp_path / "a.jsonl", "--out", tmp_path)
    assert "not as wished: " in result.stderr
    assert "has 20 of 20 dialogues" in result.stderr
    assert sorted(file.name for file in tmp_path.glob("*_a.jsonl")) == ["train_a.jsonl"]
    by = run("split", tmp_path / "a.jsonl", "--out", tmp_path, "--by", "dialogue")
    assert by.stderr == ""
    assert "drawn from 20 groups" in by.output


def test_candidates_come_from_the_pool_and_pass_the_audit(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "set.jsonl", numbered(40))
    jsonl.write(tmp_path / "pool.jsonl", [*numbered(400, mark="p"), *numbered(2)])
    options = ("--pool", tmp_path / "pool.jsonl", "--out", tmp_path / "made.jsonl", "--count", 8)

    result = run("candidates", tmp_path / "set.jsonl", *options)

    assert "lists of 8 from 1,200 distractors\nnot used of the pool: 6 that are" in result.output
    assert result.stderr == ""
    assert run("audit", tmp_path / "made.jsonl").exit_code == 0
    few = run("candidates", tmp_path / "set.jsonl", *options[:-1], 20)
    assert "too few for 2,280 places: each is listed 1.9 times" in few.stderr
    assert made("candidates", tmp_path / "set.jsonl", *options)["distractors"] == 1200
    jsonl.write(tmp_path / "pool.jsonl", numbered(1))
    with pytest.raises(UsageError, match=r"need 1 distractors, and the pool has 0"):
        run("candidates", tmp_path / "set.jsonl", *options[:-1], 2)


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    dialogues = [
        Dialogue(
            one.id,
            examples=tuple(
                Example(e.partner, e.replies, ("a", "b", e.replies[0])) for e in one.examples
            ),
        )
        for one in numbered(10)
    ]
    fbdialog.write(tmp_path / "leaking.txt", dialogues)
    return tmp_path / "leaking.txt"


def test_the_audit_is_a_table_with_an_exit_status(leaking: Path) -> None:
    result = run("audit", leaking)

    assert result.exit_code == 1
    lines = result.output.split("\n")
    assert lines[0] == f"{leaking}: 10 dialogues, 30 examples, 30 lists of candidates"
    assert "error    reply-place  30 of 30 examples (all)" in lines
    assert "         the reply's place in the list gives it away: the reply is always last" in lines
    assert '         e.g. dialogue 1, reply 1: "sayx 000 0"' in lines
    assert lines[-2] == "3 errors, 0 warnings, 0 notes; docs/audit.md explains each check"
    assert run("audit", leaking, "--fail-on", "never").exit_code == 0


def test_the_audit_as_json_and_against_train(leaking: Path, tmp_path: Path) -> None:
    jsonl.write(tmp_path / "same.jsonl", numbered(10))
    jsonl.write(tmp_path / "clean.jsonl", numbered(10, mark="c"))

    result = run("audit", leaking, "--train", tmp_path / "same.jsonl", "--json", "--examples", 3)
    document = json.loads(result.stdout)

    assert (document["schema"], document["failed"]) == (1, True)
    assert document["files"][0]["lists"] == 30
    checks = {one["check"]: one for one in document["findings"]}
    assert checks["train-dialogues"]["count"] == 10
    assert len(checks["train-dialogues"]["examples"]) == 3
    clean = run("audit", tmp_path / "clean.jsonl", "--train", leaking, "--fail-on", "warning")
    assert clean.exit_code == 0
    assert "  nothing found\n" in clean.output


@pytest.mark.shared
def test_the_published_file_is_imported_and_audited(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "spc" / "Synthetic-Persona-Chat_valid.csv"
    document = made("import", "spc", source, "--out", tmp_path)
    assert (document["dialogues"], document["examples"]) == (1000, 13666)
    assert run("audit", document["file"]).exit_code == 0


def test_the_group_loads_only_what_is_run() -> None:
    context = click.Context(data)
    assert set(data.list_commands(context)) == {row.name for row in COMMANDS}
    for row in COMMANDS:
        if row.name != "fetch":
            assert data.get_command(context, row.name) is not None
    assert data.get_command(context, "nothing") is None
    assert "Read other file formats." in run("--help").output
    assert "convai-logs" in run("import", "--help").output
