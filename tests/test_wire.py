"""What does a client get that speaks no proper HTTP? The server's own answer: Django is not asked.

The lines are sent as they stand, to gunicorn as `make run` starts it. Its refusals are bare
pages of its own, not the contract's form, for nobody knows yet which address was meant; what
they must be is quick, a 4xx, and the end of that connection.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows"),
]
ROOT = Path(__file__).resolve().parent.parent
SERVE = "import sys; from authdemo import web_server as w; "
SERVE += "sys.exit(w.serve(w.listen('127.0.0.1', int(sys.argv[1])), workers=1))"
PROMISED_SECONDS = 1
PATIENCE = 10  # seconds until a server that does not answer counts as hanging

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "ENV_FILE": os.devnull,
        "VAR_DIR": str(tmp_path_factory.mktemp("wire")),
    }
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True, capture_output=True)
    server = subprocess.Popen([sys.executable, "-c", SERVE, str(port)], cwd=ROOT, env=environment)
    try:
        wait_until_ready(port, server)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait_until_ready(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            if say(port, request("GET", "/readyz"))[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail("the server is not ready after a minute")


def request(method: str, path: str, *lines: str, body: bytes = b"") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "Connection: close"]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def say(port: int, text: bytes) -> Answer:
    """Send these bytes, and no more; return what comes until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as wire:
        try:
            wire.sendall(text)
            wire.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused while we were still speaking
        heard = b""
        try:
            while chunk := wire.recv(65536):
                heard += chunk
        except ConnectionResetError:
            pass
    return parse(heard)


def parse(heard: bytes) -> Answer:
    """Status 0 where the server hung up without a word."""
    if not heard:
        return 0, {}, b""
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("wb") as pipe:
        response = HTTPResponse(ours)
        pipe.write(heard)
        pipe.flush()
        theirs.shutdown(socket.SHUT_WR)
        response.begin()
        return (
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )


LOGIN = "/api/jwt/login/"
JSON = "Content-Type: application/json"
REFUSED: dict[str, bytes] = {
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100 + b"\r\n\r\n",
    "a line break and no more": b"\r\n\r\n",
    "a version that is none": b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    "a method of small letters": b"get<> / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a header without a name": request("GET", "/", ": x"),
    "a name with a space": request("GET", "/", "X Y: x"),
    "a space before the colon": request("GET", "/", "Authorization : Bearer x"),
    "a folded line": request("GET", "/", "X-Y: a", " b"),
    "a NUL in a header": request("GET", "/", "X-Y: a\0b"),
    "a bare carriage return": request("GET", "/", "X-Y: a\rb"),
    "a negative length": request("POST", LOGIN, JSON, "Content-Length: -1"),
    "a length that is none": request("POST", LOGIN, JSON, "Content-Length: abc"),
    "a length with a sign": request("POST", LOGIN, JSON, "Content-Length: +2", body=b"{}"),
    "two lengths": request(
        "POST", LOGIN, JSON, "Content-Length: 2", "Content-Length: 3", body=b"{} "
    ),
    "a length and chunks": request(
        "POST", LOGIN, JSON, "Content-Length: 2", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
    "a coding of nobody": request("POST", LOGIN, JSON, "Transfer-Encoding: x-nobody", body=b"{}"),
    "chunked twice": request("POST", LOGIN, JSON, "Transfer-Encoding: chunked, chunked"),
    "bytes in the path": request("GET", "/api/jwt/\xff\xfe/"),
    "a megabyte in the first line": request("GET", "/" + "x" * 1_000_000),
    "a megabyte in one header": request("GET", "/", "X-Y: " + "x" * 1_000_000),
    "a megabyte of type": request("GET", "/", "Content-Type: a/b;" + "a=b;" * 250_000),
    "a megabyte of cookie": request("GET", "/api/jwt/whoami/", "Cookie: a=" + "x" * 1_000_000),
    "ten thousand headers": request("GET", "/", *(f"X-{i}: x" for i in range(10_000))),
}


@pytest.mark.thorough
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_no_http_is_refused_by_the_server(port: int, text: bytes) -> None:
    status, _, body = say(port, text)
    # 0: hung up without a word, which RFC 9112, section 9.6 allows for what cannot be parsed;
    # 501: RFC 9112, section 6.1 wants it for a coding that the server does not know.
    assert status in {0, 501} or 400 <= status < 500, body[:300]
    assert b"Traceback" not in body
    assert say(port, request("GET", "/healthz"))[0] == 200


@pytest.mark.alone
@pytest.mark.thorough
def test_a_type_of_a_megabyte_holds_nobody_up(port: int) -> None:
    """Surprise: Django reads the type first of all, and would take seconds for its parameters.

    No code of ours could be asked before. The server refuses it, and reads no more of it.
    """
    began = time.perf_counter()
    assert say(port, REFUSED["a megabyte of type"])[0] in {0, 400, 431}
    assert time.perf_counter() - began < PROMISED_SECONDS


UNREADABLE: dict[str, tuple[bytes, set[int]]] = {
    "less than was promised": (
        request("POST", LOGIN, JSON, "Content-Length: 50", body=b'{"a"'),
        {400, 403},
    ),
    "chunks of garbage": (
        request("POST", LOGIN, JSON, "Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"),
        {400, 403},
    ),
    "a chunk that ends early": (
        request("POST", LOGIN, JSON, "Transfer-Encoding: chunked", body=b"ff\r\n{}"),
        {400, 403},
    ),
    "a megabyte announced": (
        request("POST", LOGIN, JSON, "Content-Length: 1000000", body=b"x" * 1_000_000),
        {403, 413},
    ),
    "half an escape": (request("GET", "/api/jwt/devices/%/"), {404, 405}),
    "no hexadecimal": (request("GET", "/api/jwt/devices/%zz/"), {404, 405}),
    "a NUL in the path": (request("GET", "/api/jwt/a%00b/"), {404}),
    "dots in the path": (request("GET", "/api/jwt/../../etc/passwd"), {404}),
    "two cookie lines": (
        request("GET", "/api/jwt/whoami/", "Cookie: __Host-refresh=a", "Cookie: __Host-refresh=b"),
        {400, 401},
    ),
    "a host of somebody": (
        b"GET /api/jwt/me/ HTTP/1.1\r\nHost: mallory.example\r\nConnection: close\r\n\r\n",
        {400},
    ),
    "no host": (b"GET /api/jwt/me/ HTTP/1.0\r\nHost:\r\n\r\n", {400, 401}),
    "an absolute address": (request("GET", "http://mallory.example/api/jwt/me/"), {401, 404}),
    "an underscore for a dash": (
        request("GET", "/api/jwt/whoami/", "X_Forwarded_For: 1.1.1.1"),
        {400, 401},
    ),
}


@pytest.mark.parametrize(("text", "statuses"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_the_server_passes_on_is_refused_in_the_one_form(
    port: int, text: bytes, statuses: set[int]
) -> None:
    status, headers, body = say(port, text)
    assert status in statuses, body[:300]
    if headers["content-type"] == "application/json":
        assert json.loads(body).keys() == {"detail", "code"}
    assert b"Traceback" not in body


@pytest.fixture
def csrf(port: int) -> list[str]:
    """The two header lines that prove one's own page."""
    _, headers, body = say(port, request("GET", "/api/csrf/"))
    token = json.loads(body)["csrf_token"]
    return [f"X-CSRFToken: {token}", "Cookie: " + headers["set-cookie"].partition(";")[0]]


@pytest.mark.parametrize(
    ("lines", "body", "status"),
    [
        (["Transfer-Encoding: chunked"], b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n0\r\n\r\n", 400),
        (["Transfer-Encoding: chunked"], b"zz\r\n{}\r\n0\r\n\r\n", 400),
        (["Transfer-Encoding: chunked"], b"ff\r\n{}", 400),
        (["Content-Length: 50"], b'{"a"', 400),
        (["Content-Length: 1000000"], b"x" * 1_000_000, 413),
        (["Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n", 400),
    ],
    ids=["a megabyte", "garbage", "cut off", "too short", "a megabyte announced", "good chunks"],
)
def test_a_body_by_the_wire_is_bounded_and_read_whole(
    port: int, csrf: list[str], lines: list[str], body: bytes, status: int
) -> None:
    """Past the CSRF check, where the body is read.

    Surprise: under WSGI Django reads as much as Content-Length says. A body in chunks, which
    has none, is an empty one, whatever stands in it.
    """
    answered, headers, said = say(port, request("POST", LOGIN, JSON, *csrf, *lines, body=body))
    assert answered == status, said[:300]
    assert headers["content-type"] == "application/json", said[:300]
    assert json.loads(said)["code"] == "invalid"


def test_an_answer_to_head_does_not_spill_into_the_next(port: int) -> None:
    """Threat: what is left of one answer on a kept connection would be read as the next one."""
    keep = b"HEAD /api/csrf/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as wire:
        wire.sendall(keep + request("GET", "/healthz"))
        heard = b""
        while chunk := wire.recv(65536):
            heard += chunk
    head, _, rest = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert rest.startswith(b"HTTP/1.1 200"), rest[:200]
