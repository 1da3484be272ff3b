"""The runtime that a digest names, whatever this installation would make today."""

from harness.errors import OperatorError
from worker.images.bubblewrap import runtime_folder
from worker.images.runtime import Runtime
from worker.place import Place


def stored_runtime(name: str, digest: str, *, place: Place) -> Runtime:
    """The runtime of this sandbox and digest; nothing is made.

    Whether it is on this machine is for the sandbox's `check` to say. `OperatorError`
    (`image_missing`) where the sandbox has no runtimes of its own.
    """
    if name == "docker":
        return Runtime("docker", digest)
    if name == "bubblewrap":
        return Runtime("bubblewrap", digest, path=runtime_folder(place.runtimes, digest))
    raise OperatorError("image_missing", message=f"sandbox {name!r} keeps no runtime {digest}")
