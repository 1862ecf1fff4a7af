import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpgen.backends.web.server import PageServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    (tmp_path / "page.mjs").write_text("export {};")
    found = PageServer({"page.mjs": tmp_path / "page.mjs"})
    yield found
    found.close()


def ask(
    server: PageServer,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    host: str | None = None,
    length: str | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection(server.host, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or server.host)
        if length or body is not None:
            connection.putheader("Content-Length", length or str(len(body or b"")))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def path_of(server: PageServer, name: str) -> str:
    return server.address(name).partition(server.host)[2]


def test_a_page_comes_with_its_kind_and_alone(server: PageServer) -> None:
    status, body, headers = ask(server, path_of(server, "page.mjs"))
    assert (status, body) == (200, b"export {};")
    assert headers["Content-Type"].startswith("text/javascript")
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_only_loopback_is_listened_to(server: PageServer) -> None:
    assert server.host.startswith("127.0.0.1:")


@pytest.mark.parametrize(
    "name",
    ["../page.mjs", "page.mjs/../page.mjs", "/etc/passwd", "..%2f..%2fetc/passwd", "", "%00", "?x"],
)
def test_no_name_becomes_a_path(server: PageServer, name: str) -> None:
    assert ask(server, path_of(server, name))[0] == 404


def test_without_the_token_there_is_nothing(server: PageServer) -> None:
    for path in ("/page.mjs", "/wrong/page.mjs", "/", "//page.mjs"):
        assert ask(server, path)[:2] == (404, b"")


def test_another_name_of_the_host_is_refused(server: PageServer) -> None:
    path = path_of(server, "page.mjs")
    assert ask(server, path, host="rebound.example")[0] == 403
    assert ask(server, path, host="localhost")[0] == 403


def test_a_model_can_be_had_until_it_is_withdrawn(server: PageServer, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"model" * 1000)
    name = server.offer(file)
    assert ask(server, path_of(server, name))[1] == b"model" * 1000
    server.withdraw(name)
    assert ask(server, path_of(server, name))[0] == 404
    again = server.offer(tmp_path / "gone.onnx")
    assert ask(server, path_of(server, again))[0] == 410


def test_bytes_go_out_and_come_back_once(server: PageServer) -> None:
    given = server.give(b"\0inputs")
    assert ask(server, path_of(server, given))[1] == b"\0inputs"
    expected = server.expect()
    path = path_of(server, expected)
    assert server.taken(expected) is None
    assert ask(server, path, "POST", b"\0outputs")[0] == 204
    assert server.taken(expected) == b"\0outputs"
    assert server.taken(expected) is None
    assert ask(server, path, "POST", b"again")[0] == 404


@pytest.mark.parametrize("length", ["-1", "x", "99999999999"])
def test_a_length_that_is_none_is_refused(server: PageServer, length: str) -> None:
    path = path_of(server, server.expect())
    assert ask(server, path, "POST", b"", length=length)[0] == 400


def test_nothing_can_be_sent_to_other_names(server: PageServer) -> None:
    assert ask(server, path_of(server, "page.mjs"), "POST", b"x")[0] == 404
    assert ask(server, "/wrong/taken-1", "POST", b"x")[0] == 404
