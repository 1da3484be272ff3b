"""What comes over the line is what the commit promised, from an allowed host, or nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fakewire import CONTENT, PROMISE, Said, World, moved, whole

from harness.errors import SubmissionError
from worker.fetch.download import LONGEST_URL, Promise, Unanswered, download

URL = "https://git.example/weights"
TOKEN = {"Authorization": "Basic secret"}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "weights"


def detail(action: Callable[[], object]) -> str | None:
    with pytest.raises(SubmissionError) as caught:
        action()
    assert caught.value.code == "clone_refused"
    return caught.value.detail


def test_a_file_that_is_what_was_promised_is_kept(world: World, target: Path) -> None:
    world.wire.answers["git.example"] = [whole()]
    download(world.line(), URL, PROMISE, target, headers=TOKEN)
    assert target.read_bytes() == CONTENT
    (question,) = world.wire.asked
    assert question.place.target == "/weights"
    assert question.pinned == "198.51.100.1"
    assert question.headers == {"Accept-Encoding": "identity", **TOKEN}
    assert question.body is None
    assert world.wire.given[0].closed


def test_a_name_is_looked_up_once_for_all_requests(world: World, tmp_path: Path) -> None:
    line = world.line()
    for name in "abc":
        world.wire.answers["git.example"] = [whole()]
        download(line, URL, PROMISE, tmp_path / name, headers={})
    assert world.looked_up == [("git.example", 443)]
    assert {question.pinned for question in world.wire.asked} == {"198.51.100.1"}


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(Said(pieces=[CONTENT + b"x"]), id="one byte more"),
        pytest.param(Said(pieces=[b"x" * len(CONTENT)]), id="other bytes"),
        pytest.param(Said(pieces=[CONTENT[:-1]]), id="one byte less"),
        pytest.param(Said(headers={"Content-Length": "99"}), id="another size announced"),
        pytest.param(Said(headers={"Content-Length": "9" * 400}), id="a huge size announced"),
        pytest.param(Said(pieces=[b"0" * (1 << 20)] * 64), id="no end"),
    ],
)
def test_other_content_is_refused_and_leaves_no_file(
    world: World, target: Path, said: Said
) -> None:
    world.wire.answers["git.example"] = [said]
    assert detail(lambda: download(world.line(), URL, PROMISE, target, headers={})) == (
        "large_content"
    )
    assert not target.exists()
    assert len(world.wire.asked) == 1


def test_no_more_is_read_than_one_byte_past_the_promise(world: World, target: Path) -> None:
    endless = Said(pieces=[b"0" * (1 << 20)] * 8)
    world.wire.answers["git.example"] = [endless]
    promise = Promise("0" * 64, 3 << 20)
    detail(lambda: download(world.line(), URL, promise, target, headers={}))
    left = sum(len(piece) for piece in endless.pieces if isinstance(piece, bytes))
    assert left == (5 << 20) - 1


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example/x",
        "https://git.example.evil.example/x",
        "https://git.example:8443/x",
        "https://user@git.example/x",
        "https://user:word@git.example/x",
        "http://git.example/x",
        "ftp://git.example/x",
        "file:///etc/passwd",
        "https://[::1/x",
        "https://git.example:x/",
        "https://git.example/a b",
        "https://git.example/\r\nHost: evil",
        "https://g\N{LATIN SMALL LETTER I WITH DIAERESIS}t.example/x",
        "https:///x",
        "https://git.example/" + "x" * LONGEST_URL,
        "",
    ],
)
def test_other_addresses_are_never_asked(world: World, target: Path, url: str) -> None:
    assert detail(lambda: download(world.line(), url, PROMISE, target, headers={})) == "large_host"
    assert (world.wire.asked, world.looked_up) == ([], [])


@pytest.mark.parametrize("listed", ["cdn.example", "cdn.example:8443", "*.example"])
def test_a_host_on_the_organizers_list_is_asked(world: World, target: Path, listed: str) -> None:
    world.wire.answers["cdn.example"] = [whole()]
    url = "https://cdn.example:8443/x?signature=a%2Fb"
    download(world.line(listed), url, PROMISE, target, headers={})
    assert world.wire.asked[0].place.port == 8443
    assert world.wire.asked[0].place.target == "/x?signature=a%2Fb"


@pytest.mark.parametrize("listed", ["*.cdn.example", "*", "*.", "xample", "cdn.example:443"])
def test_a_host_that_the_list_does_not_mean_is_not_asked(
    world: World, target: Path, listed: str
) -> None:
    url = "https://cdn.example:8443/x"
    action = lambda: download(world.line(listed), url, PROMISE, target, headers={})  # noqa: E731
    assert detail(action) == "large_host"
    assert world.wire.asked == []


def test_a_redirect_passes_the_same_door_and_takes_no_token_along(
    world: World, target: Path
) -> None:
    world.wire.answers["git.example"] = [moved("https://cdn.example/y")]
    world.wire.answers["cdn.example"] = [whole()]
    assert detail(lambda: download(world.line(), URL, PROMISE, target, headers=TOKEN)) == (
        "large_host"
    )
    download(world.line("cdn.example"), URL, PROMISE, target, headers=TOKEN)
    assert [sorted(question.headers) for question in world.wire.asked[-2:]] == [
        ["Accept-Encoding", "Authorization"],
        ["Accept-Encoding"],
    ]


def test_a_redirect_on_the_same_host_keeps_its_token(world: World, target: Path) -> None:
    world.wire.answers["git.example"] = [moved("/elsewhere"), whole()]
    download(world.line(), URL, PROMISE, target, headers=TOKEN)
    assert [question.place.target for question in world.wire.asked] == ["/weights", "/elsewhere"]
    assert all("Authorization" in question.headers for question in world.wire.asked)


@pytest.mark.parametrize("location", ["", "http://git.example/x", "https://[", "//other.example/"])
def test_a_redirect_that_leads_nowhere_we_go_is_refused(
    world: World, target: Path, location: str
) -> None:
    world.wire.answers["git.example"] = [moved(location)]
    with pytest.raises((SubmissionError, Unanswered)):
        download(world.line(), URL, PROMISE, target, headers={})
    assert {question.place.host for question in world.wire.asked} == {"git.example"}


def test_redirects_in_a_circle_come_to_an_end(world: World, target: Path) -> None:
    world.wire.answers["git.example"] = [moved(URL)]
    with pytest.raises(Unanswered, match="too many redirects"):
        download(world.line(), URL, PROMISE, target, headers={})
    assert len(world.wire.asked) == 4


def test_a_redirect_to_a_name_of_a_private_address_is_refused(world: World, target: Path) -> None:
    world.private.add("cdn.example")
    world.wire.answers["git.example"] = [moved("https://cdn.example/y")]
    line = world.line("cdn.example")
    assert detail(lambda: download(line, URL, PROMISE, target, headers={})) == "address"
    assert [question.place.host for question in world.wire.asked] == ["git.example"]


def test_a_busy_host_is_asked_again_after_a_pause(world: World, target: Path) -> None:
    broken = Said(pieces=[CONTENT[:500], ConnectionResetError("gone")])
    world.wire.answers["git.example"] = [Said(503), broken, whole()]
    download(world.line(), URL, PROMISE, target, headers={})
    assert target.read_bytes() == CONTENT
    assert world.slept == [1.0, 4.0]


def test_a_line_that_always_breaks_early_is_given_up(world: World, target: Path) -> None:
    def cut(_question: object) -> Said:
        return Said(pieces=[CONTENT[:500]], headers={"Content-Length": str(len(CONTENT))})

    world.wire.answers["git.example"] = [cut]
    with pytest.raises(Unanswered, match="broke before the end"):
        download(world.line(), URL, PROMISE, target, headers={})
    assert (len(world.wire.asked), target.exists()) == (3, False)


@pytest.mark.parametrize("status", [204, 206, 304, 401, 403, 404, 410, 418])
def test_a_refusal_is_not_asked_twice(world: World, target: Path, status: int) -> None:
    world.wire.answers["git.example"] = [Said(status)]
    with pytest.raises(Unanswered) as unanswered:
        download(world.line(), URL, PROMISE, target, headers={})
    assert unanswered.value.status == status
    assert len(world.wire.asked) == 1


def test_the_deadline_ends_a_stream_that_never_does(world: World, target: Path) -> None:
    world.wire.answers["git.example"] = [whole()]
    line = world.line(seconds=-1)
    assert detail(lambda: download(line, URL, PROMISE, target, headers={})) == "timeout"
