"""Where packages come from is what pip says on this machine, and nothing that we made up."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from worker.images.index import configuration, read_index

LISTING = """\
:env:.find-links='/from/environment'
:env:.default-timeout='180'
global.cert='/etc/ca.pem'
global.find-links='/from/file'
global.extra-index-url='\\nhttps://mirror.example.org/simple\\nfile:///srv/index'
install.index-url='https://me:secret@index.example.org:8443/simple'
download.index-url='https://other.example.org/'
"""


def test_the_strongest_source_of_an_option_wins() -> None:
    found = configuration(LISTING)
    assert found["find-links"] == "/from/environment"
    assert found["index-url"] == "https://me:secret@index.example.org:8443/simple"
    assert found["cert"] == "/etc/ca.pem"


@pytest.fixture
def pips(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A pip without any configuration."""
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "CERT", "NO_INDEX", "PROXY"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return monkeypatch


def test_without_configuration_it_is_pips_own_index_and_where_that_keeps_files(
    pips: pytest.MonkeyPatch,
) -> None:
    index = read_index({})
    assert len(index.hosts) == 2
    assert {port for _, port in index.hosts} == {443}
    assert (index.folders, index.certificates, index.upstream) == ((), None, None)
    assert (index.pip / "__init__.py").is_file()
    assert "PIP_INDEX_URL" not in index.variables


def test_hosts_and_folders_are_those_of_the_addresses(
    pips: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files, pages = tmp_path / "files", tmp_path / "simple"
    (pages / "nltk").mkdir(parents=True)
    files.mkdir()
    (pages / "nltk" / "index.html").write_text('<a href="../../files/nltk-1.whl#sha256=0">n</a>')
    (tmp_path / "ca.pem").write_text("x")
    pips.setenv("PIP_INDEX_URL", "http://index.example.org:8080/simple")
    pips.setenv("PIP_EXTRA_INDEX_URL", f"https://me@Mirror.example.org/ {pages.as_uri()}")
    pips.setenv("PIP_CERT", str(tmp_path / "ca.pem"))
    pips.setenv("PIP_TRUSTED_HOST", "index.example.org")
    index = read_index({"ROSTRUM_INDEX_HOSTS": "cdn.example.org, Files.example.org:8443"})
    assert index.hosts == {
        ("index.example.org", 8080),
        ("mirror.example.org", 443),
        ("cdn.example.org", 443),
        ("files.example.org", 8443),
    }
    assert index.folders == (files, pages)
    assert index.certificates == tmp_path / "ca.pem"
    assert index.has_password
    assert index.variables["PIP_TRUSTED_HOST"] == "index.example.org"
    assert not {name for name in index.variables if not name.startswith("PIP_")}


def test_no_index_leaves_the_folders_alone(pips: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pips.setenv("PIP_NO_INDEX", "1")
    pips.setenv("PIP_FIND_LINKS", f"{tmp_path} {tmp_path}/absent")
    index = read_index({})
    assert (index.hosts, index.folders) == (frozenset(), (tmp_path,))
    assert index.variables["PIP_NO_INDEX"] == "1"


def test_a_folder_inside_another_is_shown_once(pips: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    pips.setenv("PIP_NO_INDEX", "1")
    pips.setenv("PIP_FIND_LINKS", f"{tmp_path}/inner {tmp_path}")
    assert read_index({}).folders == (tmp_path,)


def test_the_certificates_and_the_proxy_of_the_network_are_found(
    pips: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("x")
    index = read_index(
        {"REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem"), "HTTPS_PROXY": "http://gate:3128"}
    )
    assert index.certificates == tmp_path / "ca.pem"
    assert index.upstream == "http://gate:3128"


def test_a_host_that_is_none_stops_the_build_by_name(pips: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="ROSTRUM_INDEX_HOSTS"):
        read_index({"ROSTRUM_INDEX_HOSTS": "https://x"})
