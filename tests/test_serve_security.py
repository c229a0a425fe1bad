"""Who may ask a server: nobody else's page, nobody without the token, and nobody on the network unasked."""

from __future__ import annotations

import http.client
import logging
import os
import sys

import pytest

from headstart.errors import UserError
from headstart.serve.run import address_of, listening
from headstart.serve.settings import Settings, token_in
from servers import WAITED, running

TOKEN = "a-token-of-the-tests-0123456789"


@pytest.fixture(scope="module")
def server(to_serve):
    with running(to_serve["texts"]) as found:
        yield found


@pytest.fixture(scope="module")
def guarded(to_serve):
    with running(to_serve["texts"], settings=Settings(token=TOKEN)) as found:
        yield found


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:{port}", "[::1]:{port}", "LocalHost:{port}"])
def test_its_own_names_are_let_in(server, host):
    assert server.get("/v1/models", Host=host.format(port=server.port)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "",
        "@",
        "127.0.0.1:x@evil.example",
        "127.0.0.1:",
    ],
)
def test_another_host_is_refused(server, host):
    """A page may give its own name the address 127.0.0.1."""
    answer = server.get("/v1/models", Host=host.format(port=server.port))
    assert (answer.status, list(answer.json)) == (403, ["error"])


def test_pages_of_other_sites_are_refused(server):
    asked = {"inputs": ["my card"]}
    own = f"http://127.0.0.1:{server.port}"
    assert server.post("/v1/predict", asked, Origin=own).status == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"{own}.evil.example", "file://"):
        answer = server.post("/v1/predict", asked, Origin=origin)
        assert answer.status == 403
        assert "access-control-allow-origin" not in answer.headers
    assert server.ask("OPTIONS", "/v1/predict", headers={"Origin": "http://evil.example"}).status == 403


def test_a_request_has_one_origin(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAITED)
    connection.putrequest("GET", "/v1/models")
    connection.putheader("Origin", f"http://127.0.0.1:{server.port}")
    connection.putheader("Origin", "http://evil.example")
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


def test_headers_for_browsers(server):
    for path in ("/", "/docs", "/v1/models", "/nothing", "/openapi.json"):
        headers = server.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; ")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "camera=(self)" in headers["permissions-policy"]
        assert "server" not in headers
    refused = server.get("/v1/models", Host="evil.example")
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_the_token_is_asked_for_where_anything_is_told(guarded):
    wrong = ["", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"]
    for path in ("/v1/models", "/metrics", "/v2", "/v2/models/texts"):
        assert guarded.get(path).status == 200
        for given in wrong:
            answer = guarded.get(path, Authorization=given)
            assert answer.status == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in answer.body.decode()
    assert guarded.post("/v1/predict", {"inputs": ["a"]}, Authorization="Bearer no").status == 401
    assert guarded.post("/v1/predict", {"inputs": ["a"]}, Authorization=f"bearer {TOKEN}").status == 200
    for path in ("/", "/docs", "/docs/start.js", "/openapi.json", "/healthz", "/readyz", "/v2/health/live"):
        assert guarded.get(path, Authorization="").status == 200


def test_without_a_token_no_other_address_is_listened_at(command, to_serve):
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        code, _, err = command("serve", to_serve["texts"], "--host", host)
        assert code == 2
        assert f"--host {host}" in err
        assert "token" in err
        assert "--token-file" in err


def test_a_token_that_could_be_guessed_is_refused(tmp_path, capsys):
    file = tmp_path / "token.txt"
    for content in (b"", b"short", b"a" * 15, b"a b" * 10, b"\xff" * 20, b"a" * 5000):
        file.write_bytes(content)
        with pytest.raises(UserError) as error:
            token_in(file)
        assert "token" in str(error.value) or "bytes" in str(error.value)
    with pytest.raises(UserError):
        token_in(tmp_path / "nothing")
    file.write_text(f"  {TOKEN}\na second line\n")
    file.chmod(0o600)
    assert token_in(file) == TOKEN
    assert capsys.readouterr().err == ""
    if os.name == "posix":
        file.chmod(0o644)
        assert token_in(file) == TOKEN
        assert "chmod 600" in capsys.readouterr().err


def test_the_address_that_is_printed_carries_the_token():
    settings = Settings(port=0, token=TOKEN)
    with listening(settings) as opened:
        assert address_of(opened, settings) == f"http://127.0.0.1:{opened.getsockname()[1]}/#token={TOKEN}"
        with pytest.raises(UserError, match="port 0"):
            listening(Settings(port=opened.getsockname()[1]))


def test_the_log_tells_nothing_of_what_was_sent(guarded, caplog):
    logger = logging.getLogger("headstart.serve")
    propagates, logger.propagate = logger.propagate, True
    try:
        with caplog.at_level(logging.INFO, logger="headstart.serve"):
            guarded.post("/v1/predict?secret-query", {"inputs": ["a secret text"]})
            guarded.get("/secret/path")
            guarded.get("/v2/models/secret-name")
            guarded.wait_until(lambda: sum(record.name == "headstart.serve" for record in caplog.records) >= 3)
    finally:
        logger.propagate = propagates
    lines = [record.getMessage() for record in caplog.records if record.name == "headstart.serve"]
    assert lines[0].startswith("POST /v1/predict 200 ")
    assert lines[0].endswith(" bytes")
    assert lines[1].startswith("GET unknown 404 ")
    assert lines[2].startswith("GET /v2/models/{name} 404 ")
    assert "secret" not in "".join(lines)
    assert TOKEN not in "".join(lines)
    assert "secret" not in guarded.get("/metrics").body.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="a wildcard is another thing there")
def test_with_a_token_all_addresses_may_be_listened_at(to_serve):
    with running(to_serve["texts"], settings=Settings(host="0.0.0.0", token=TOKEN)) as server:
        assert server.get("/v1/models", Host="192.168.1.7:8000").status == 200
        assert server.get("/v1/models", Host="models.example", Origin="https://models.example").status == 200
        assert server.get("/v1/models", Host="models.example", Origin="https://evil.example").status == 403
        assert server.get("/v1/models", Host="models.example", Authorization="").status == 401
