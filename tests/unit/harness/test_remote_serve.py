"""The inside, as a real process: what an honest, a broken and a prying submission meet."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from harness import __version__
from harness.agent import Track, check_probabilities
from harness.dialogue import Context, Turn
from harness.errors import SubmissionError
from harness.remote.client import Listener, RemoteAgent
from harness.remote.frames import PROTOCOL
from harness.remote.serve import build
from harness.text import Vocabulary

VOCABULARY = Vocabulary.from_counts({"tea": 2, "na\u00efve": 1})
CONTEXT = Context("one", ("i like tea .",), (), (Turn("partner", "hi"),))

AGENT = """
import os, sys
import numpy as np
from harness import eval_f1, eval_hits, eval_ppl

class Agent:
    def respond(self, contexts):
        return [{reply} for context in contexts]
    def score_candidates(self, contexts, candidates):
        return {scores}
    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        return {rows}
"""
DEFAULTS = {
    "reply": "context.turns[-1].text",
    "scores": "[[1.0] * len(c) for c in candidates]",
    "rows": "np.ones((len(contexts), len(vocabulary)), np.float32)",
}


def agent_code(**parts: str) -> str:
    """A submission whose verbs return these expressions."""
    return AGENT.format(**(DEFAULTS | parts))


class Child:
    """A started `serve`: its agent, its process and, once it ended, what it printed."""

    def __init__(self, process: "subprocess.Popen[str]", agent: RemoteAgent):
        self.process = process
        self.agent = agent

    def load(self, track: Track) -> None:
        self.agent.load(
            track,
            vocabulary=VOCABULARY if track == "ppl" else None,
            load_seconds=30,
            batch_seconds=30,
            bank_seconds=0,
            total_seconds=60,
        )

    def ask(self, track: Track) -> None:
        """Load and ask for one answer, checked as the evaluator checks it."""
        self.load(track)
        if track == "f1":
            self.agent.respond([CONTEXT])
        elif track == "hits":
            self.agent.score_candidates([CONTEXT], [["a", "b", "c"]])
        else:
            rows = self.agent.next_word_probabilities([CONTEXT], [()], VOCABULARY)
            check_probabilities(rows, count=1, vocabulary_size=len(VOCABULARY))

    def end(self) -> tuple[int, str, str]:
        """Hang up; status, standard output and standard error."""
        self.agent.close()
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@contextmanager
def serving(folder: Path, code: str, **environment: str) -> Iterator[Child]:
    """`serve` on this track file, its HELLO read."""
    submission = folder / "code"
    submission.mkdir(exist_ok=True)
    file = submission / "eval_track.py"
    file.write_text(code, encoding="utf-8")
    with Listener(folder, uid=os.getuid()) as listener:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.remote.serve", str(file)],
            env={
                "ROSTRUM_SOCKET": str(listener.path),
                "OMP_NUM_THREADS": "1",
                **{key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")},
                **environment,
            },
            cwd=submission,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            try:
                with listener.accept(timeout=20) as agent:
                    yield Child(process, agent)
            finally:
                process.kill()


def test_an_honest_agent_answers_all_three_verbs(tmp_path: Path) -> None:
    code = agent_code(
        scores="np.arange(sum(map(len, candidates))).reshape(1, -1)",
        rows="np.asfortranarray([[1, 0, 0, 0, len(prefixes[0]), 'tea' in vocabulary]], 'f4')",
    )
    with serving(tmp_path, code + "eval_ppl(Agent)") as child:
        assert child.agent.hello == {"protocol": PROTOCOL, "harness": __version__, "build": build()}
        child.load("ppl")
        assert child.agent.respond([CONTEXT]) == ["hi"]
        assert child.agent.score_candidates([CONTEXT], [["a", "b", "c"]])[0].tolist() == [0, 1, 2]
        rows = child.agent.next_word_probabilities([CONTEXT], [("tea",)], VOCABULARY)
        assert rows.tolist() == [[1, 0, 0, 0, 1, 1]]
        assert child.end()[0] == 0


def test_what_it_prints_goes_to_standard_error_and_input_is_empty(tmp_path: Path) -> None:
    code = agent_code(reply="repr((sys.stdin.read(), os.write(1, b'loud'), print('noise')))")
    with serving(tmp_path, code + "eval_f1(Agent)\nprint('after')") as child:
        child.load("f1")
        assert child.agent.respond([CONTEXT]) == ["('', 4, None)"]
        status, out, err = child.end()
    assert (status, out) == (0, "")
    assert "loud" in err
    assert "noise" in err
    assert "after" in err


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("import nothing_of_this_name", "import"),
        ("1 / 0", "import"),
        ("this is no python", "import"),
        (agent_code() + "eval_hits(Agent)", "import"),
        (agent_code() + "eval_f1(lambda: 1 / 0)", "construct"),
        (agent_code(reply="1 / 0") + "eval_f1(Agent)", "verb"),
        (agent_code(reply="open('/no/such/file')") + "eval_f1(Agent)", "verb"),
        (agent_code(reply="(_ for _ in ()).throw(EOFError)") + "eval_f1(Agent)", "verb"),
        ("from harness import eval_f1\neval_f1(object)", "verb"),
    ],
)
def test_a_crash_is_told_without_its_text(tmp_path: Path, code: str, hint: str) -> None:
    with serving(tmp_path, code) as child:
        with pytest.raises(SubmissionError) as caught:
            child.ask("f1")
        status, _, err = child.end()
    assert (caught.value.code, caught.value.detail) == ("crashed", hint)
    assert status == 1
    assert "Error" in err


@pytest.mark.parametrize(
    "code",
    [
        "",
        "raise SystemExit(0)",
        "import os; os._exit(0)",
        agent_code(reply="sys.exit(0)") + "eval_f1(Agent)",
        agent_code(reply="os.closerange(3, 64) or os.execvp('sleep', ['sleep', '20'])")
        + "eval_f1(Agent)",
    ],
)
def test_leaving_without_an_answer_is_an_early_exit(tmp_path: Path, code: str) -> None:
    with serving(tmp_path, code, PATH=os.environ["PATH"]) as child:
        with pytest.raises(SubmissionError) as caught:
            child.ask("f1")
        child.process.kill()
    assert (caught.value.code, caught.value.detail) == ("early_exit", None)


@pytest.mark.parametrize(
    ("track", "parts", "detail"),
    [
        ("f1", {"reply": "None"}, "not_text"),
        ("f1", {"reply": "b'bytes'"}, "not_text"),
        ("f1", {"reply": "'\\ud800'"}, "not_text"),
        ("f1", {"reply": "'x' * 10_000_000"}, "too_long"),
        ("hits", {"scores": "[[1.0]]"}, "wrong_count"),
        ("hits", {"scores": "[]"}, "wrong_count"),
        ("hits", {"scores": "[[float('nan'), 1, 2]]"}, "not_finite"),
        ("hits", {"scores": "[[float('inf'), 1, 2]]"}, "not_finite"),
        ("hits", {"scores": "[['best', 'b', 'c']]"}, "not_finite"),
        ("ppl", {"rows": "np.ones((2, len(vocabulary)), np.float32)"}, "wrong_count"),
        ("ppl", {"rows": "np.ones((1, len(vocabulary)), np.float64)"}, "wrong_count"),
        ("ppl", {"rows": "np.ones((1, len(vocabulary)), '>f4')"}, "wrong_count"),
        ("ppl", {"rows": "[[1.0] * len(vocabulary)]"}, "wrong_count"),
        ("ppl", {"rows": "np.full((1, len(vocabulary)), -1, 'f4')"}, "negative"),
        ("ppl", {"rows": "np.full((1, len(vocabulary)), np.nan, 'f4')"}, "not_finite"),
        ("ppl", {"rows": "np.full((1, len(vocabulary)), np.inf, 'f4')"}, "not_finite"),
        ("ppl", {"rows": "np.zeros((1, len(vocabulary)), 'f4')"}, "zero_row"),
    ],
)
def test_a_prediction_that_is_none(
    tmp_path: Path, track: Track, parts: dict[str, str], detail: str
) -> None:
    code = agent_code(**parts) + f"eval_{track}(Agent)"
    with serving(tmp_path, code) as child, pytest.raises(SubmissionError) as caught:
        child.ask(track)
    assert (caught.value.code, caught.value.detail) == ("invalid_prediction", detail)


def test_a_harness_folder_of_theirs_replaces_nothing(tmp_path: Path) -> None:
    fake = tmp_path / "code" / "harness"
    fake.mkdir(parents=True)
    for name in ("__init__", "scripts", "evaluation", "sitecustomize", "usercustomize"):
        (fake / f"{name}.py").write_text("raise SystemExit('theirs')", encoding="utf-8")
        (fake.parent / f"{name}.py").write_text("raise SystemExit('theirs')", encoding="utf-8")
    code = agent_code(reply="sys.modules['harness'].__file__")
    with serving(tmp_path, code + "import harness.text\neval_f1(Agent)") as child:
        child.load("f1")
        (reply,) = child.agent.respond([CONTEXT])
        assert not reply.startswith(str(tmp_path))


def test_the_code_is_first_and_the_environment_last_on_the_path(tmp_path: Path) -> None:
    environment = tmp_path / "env"
    environment.mkdir()
    for folder, word in ((environment, "environment"), (tmp_path / "code", "code")):
        folder.mkdir(exist_ok=True)
        (folder / "both.py").write_text(f"word = {word!r}", encoding="utf-8")
    (environment / "only.py").write_text("word = 'only'", encoding="utf-8")
    (environment / "numpy.py").write_text("raise SystemExit", encoding="utf-8")
    code = agent_code(reply="both.word + ' ' + only.word + ' ' + __name__ + ' ' + sys.argv[0]")
    with serving(
        tmp_path,
        "import both, only" + code + "eval_f1(Agent)",
        ROSTRUM_ENVIRONMENT=str(environment),
    ) as child:
        child.load("f1")
        file = tmp_path / "code" / "eval_track.py"
        assert child.agent.respond([CONTEXT]) == [f"code only __main__ {file}"]


PRYING = """
import ctypes, errno, socket, threading, subprocess
libc = ctypes.CDLL(None, use_errno=True)

def refused(number, *arguments):
    ctypes.set_errno(0)
    return libc.syscall(number, *arguments) == -1 and ctypes.get_errno() == errno.EPERM

def family(number):
    try:
        socket.socket(number, socket.SOCK_STREAM).close()
    except PermissionError:
        return 'refused'
    return 'open'

def look():
    with open('/proc/self/status') as file:
        status = dict(line.split(':', 1) for line in file)
    child = os.fork()
    if child == 0:
        os._exit(0 if family(socket.AF_INET) == 'refused' else 1)
    thread = threading.Thread(target=lambda: found.append(family(socket.AF_INET)))
    found = []
    thread.start()
    thread.join()
    a, b = socket.socketpair()
    a.close(), b.close()
    return repr([
        status['Seccomp'].strip(), status['NoNewPrivs'].strip(),
        [family(n) for n in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16, 40)],
        os.waitpid(child, 0)[1], found,
        subprocess.run(['true']).returncode,
        [name for name, number in CALLS.items() if not refused(number, 0, 0, 0, 0, 0)],
        libc.unshare(0x10000000), ctypes.get_errno(),
        libc.syscall(CLONE, 0x10000000 | 17, 0, 0, 0, 0), ctypes.get_errno(),
    ])
"""


def test_the_filter_is_on_before_the_submission_is_read(tmp_path: Path) -> None:
    import platform

    from harness.remote.filter import MACHINES

    calls = dict(MACHINES[platform.machine()].calls)
    clone = calls.pop("clone")
    for judged in ("clone3", "socket", "socketpair"):
        calls.pop(judged)
    code = PRYING + f"CALLS = {calls}\nCLONE = {clone}\n" + agent_code(reply="look()")
    with serving(tmp_path, code + "eval_f1(Agent)", PATH=os.environ["PATH"]) as child:
        child.load("f1")
        (reply,) = child.agent.respond([CONTEXT])
    families = ["open", *["refused"] * 4]
    assert reply == repr(["2", "1", families, 0, ["refused"], 0, [], -1, 1, -1, 1])


def test_a_program_of_another_architecture_is_killed(tmp_path: Path) -> None:
    import platform

    if platform.machine() != "x86_64":
        pytest.skip("int 0x80 is x86's")
    shell = (
        "import mmap, ctypes, os, signal\n"
        "def old_getpid():\n"
        "    page = mmap.mmap(-1, 4096, prot=7)\n"
        "    page.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))\n"
        "    place = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        ctypes.CFUNCTYPE(ctypes.c_int)(place)()\n"
        "        os._exit(0)\n"
        "    return str(os.waitpid(child, 0)[1] & 127)\n"
    )
    code = shell + agent_code(reply="old_getpid()") + "eval_f1(Agent)"
    with serving(tmp_path, code) as child:
        child.load("f1")
        assert child.agent.respond([CONTEXT]) == ["31"]  # SIGSYS


def test_torch_works_behind_the_filter(tmp_path: Path) -> None:
    body = "(torch.nn.Linear(64, 64)(torch.ones(64, 64)).sum().backward(), 'fine')[1]"
    code = "import torch\ntorch.set_num_threads(2)\n" + agent_code(reply=body)
    with serving(tmp_path, code + "eval_f1(Agent)", HOME=str(tmp_path)) as child:
        child.load("f1")
        assert child.agent.respond([CONTEXT]) == ["fine"]


def test_an_evaluator_that_hangs_up_ends_the_process(tmp_path: Path) -> None:
    with serving(tmp_path, agent_code() + "eval_f1(Agent)") as child:
        child.agent.close()
        assert child.process.wait(20) == 1


def test_a_dictionary_that_is_not_the_named_one_is_refused(tmp_path: Path) -> None:
    from harness.remote.frames import Kind, pack

    with serving(tmp_path, agent_code() + "eval_ppl(Agent)") as child:
        tsv = VOCABULARY.to_tsv().encode()
        limits = dict.fromkeys(("load", "batch", "bank", "total"), 1.0)
        named = {"entries": len(VOCABULARY), "sha256": "0" * 64}
        body = {"track": "ppl", "vocabulary": named, "limits": limits}
        child.agent._channel._link.setblocking(True)
        child.agent._channel._link.sendall(pack(Kind.LOAD, 0, body, binary_bytes=len(tsv)) + tsv)
        assert child.process.wait(20) == 1


def test_a_large_answer_arrives_whole(tmp_path: Path) -> None:
    code = agent_code(rows="np.arange(1, 1 + 200 * len(vocabulary), dtype='f4').reshape(200, -1)")
    vocabulary = Vocabulary.from_counts({f"w{n}": 1 for n in range(20_000)})
    with serving(tmp_path, code + "eval_ppl(Agent)") as child:
        child.agent.load(
            "ppl",
            vocabulary=vocabulary,
            load_seconds=30,
            batch_seconds=30,
            bank_seconds=0,
            total_seconds=60,
        )
        contexts = [Context(str(number)) for number in range(200)]
        rows = child.agent.next_word_probabilities(contexts, [()] * 200, vocabulary)
        size = 200 * len(vocabulary)
        assert np.array_equal(rows.ravel(), np.arange(1, 1 + size, dtype=np.float32))
