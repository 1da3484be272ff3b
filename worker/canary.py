"""A cell of our own: if it does well where a submission's cell was lost, the machine is sound.

A cell that vanished or filled a disk may be the machine's doing or the submission's. So a program
that we wrote runs in the same sandbox at once: only if it fails, too, the fault is ours.
"""

import secrets
from pathlib import Path

from harness.dialogue import Context, Turn
from harness.errors import OperatorError, RostrumError, SubmissionError
from worker.blame import judge
from worker.place import Place
from worker.sandbox import Job, Limits, Sandbox

DOUBTFUL = frozenset({"engine_down", "disk_full"})
"""Faults of ours, found after the submission had begun, that count only if a canary fails, too."""

LINE = "hello , is anybody there ?"

AGENT = '''\
"""Ours: answers one line, having used a little of everything that a machine can lack."""

from pathlib import Path


class Canary:
    def respond(self, contexts):
        Path("/tmp/canary").write_bytes(bytes(1 << 20))
        return [f"yes : {context.turns[-1].text}" for context in contexts]
'''

ENTRY = """\
from agent import Canary

from harness import eval_f1

if __name__ == "__main__":
    eval_f1(Canary)
"""

LIMITS = Limits(load=30.0, batch=30.0, bank=0.0, total=60.0, memory=512 << 20, tmp=16 << 20)


def tree(place: Place) -> Path:
    """The canary's own submission folder, below the folder that cells may see."""
    folder = place.root / "canary"
    folder.mkdir(exist_ok=True, mode=0o755)
    for name, text in (("agent.py", AGENT), ("eval_f1.py", ENTRY)):
        path = folder / name
        if not path.is_file() or path.read_text() != text:
            fresh = folder / f".{name}-{secrets.token_hex(4)}"
            fresh.write_text(text)
            fresh.chmod(0o644)
            fresh.replace(path)
    return folder


def trouble(sandbox: Sandbox, code: Path, *, house: str = "", gpu: str | None = None) -> str | None:
    """What is wrong with this sandbox, as the code of the canary's failure; None if it does well.

    `code` is the folder of `tree`, `gpu` the device that the cell is given.
    """
    job = Job(
        name=f"rostrum-canary-{secrets.token_hex(4)}{'-' if house else ''}{house}",
        fence=1,
        code=code,
        track_file="eval_f1.py",
        limits=LIMITS,
        keep_log=True,  # it is ours, and read by nobody
        gpu=gpu,
        deadline_seconds=LIMITS.start + LIMITS.load + LIMITS.total,
    )
    try:
        error = _sung(sandbox, job)
    except (RostrumError, OSError) as failure:
        return failure.code if isinstance(failure, RostrumError) else "disk_full"
    return None if error is None else error.code


def _sung(sandbox: Sandbox, job: Job) -> RostrumError | None:
    raised: RostrumError | None = None
    with sandbox.start(job) as cell:
        try:
            cell.agent.load(
                "f1",
                load_seconds=LIMITS.load,
                batch_seconds=LIMITS.batch,
                bank_seconds=LIMITS.bank,
                total_seconds=LIMITS.total,
            )
            answer = cell.agent.respond([Context("canary", turns=(Turn("partner", LINE),))])
            if list(answer) != [f"yes : {LINE}"]:
                raised = SubmissionError("invalid_prediction")
        except (SubmissionError, OperatorError) as error:
            raised = error
        return judge(raised, cell.finish())
