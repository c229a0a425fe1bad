"""Whatever is sent by the server's own OpenAPI document, or beside it, is answered as that says, and never with a 500;
and the document can be read in a browser without a network."""

from __future__ import annotations

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from browser import browser
from headstart.serve.settings import Limits, Settings
from servers import running

pytestmark = pytest.mark.check

EXAMPLES = 60  # of each operation
MODELS = ["texts", "finds-years"]
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def server(to_serve, years, tmp_path_factory):
    limits = Limits(text=2000, feedback_files=500)
    folder = tmp_path_factory.mktemp("fuzz") / "feedback"
    with running(to_serve["texts"], years, settings=Settings(feedback=folder, limits=limits)) as found:
        yield found


@pytest.fixture(scope="module")
def document(server):
    return server.get("/openapi.json").json


def operations(document) -> list[tuple[str, str]]:
    return [(method, path) for path, methods in document["paths"].items() for method in methods]


def test_the_document_names_every_route(document):
    assert set(operations(document)) >= {
        ("get", "/v1/models"), ("post", "/v1/predict"), ("post", "/v1/answer"), ("post", "/v1/explain"),
        ("post", "/v1/feedback"), ("get", "/v2"), ("post", "/v2/models/{name}/infer"), ("get", "/metrics"),
    }  # fmt: skip


def known_models(value: object) -> object:
    """The document, in which models have names that are there: else little is asked of any."""
    if isinstance(value, list):
        return [known_models(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {key: known_models(each) for key, each in value.items()}
    if made.get("name") == "name" and made.get("in") == "path":
        made["schema"] = {"type": "string", "enum": MODELS}
    if isinstance(made.get("properties"), dict) and "model" in made["properties"]:
        made["properties"]["model"] = {"type": "string", "enum": MODELS}
    return made


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_what_is_made_of_the_document_is_answered_as_it_says(server, document, mode):
    asked = {**document, "paths": known_models(document["paths"])}
    bodies = {name: schema for name, schema in document["components"]["schemas"].items() if name.endswith("Body")}
    asked["components"] = document["components"] | {
        "schemas": document["components"]["schemas"] | {name: known_models(schema) for name, schema in bodies.items()}
    }
    api = schemathesis.openapi.from_dict(asked)
    checks = CHECKS.get_by_names(CHECKED)
    assert len(checks) == len(CHECKED)
    for found in api.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and operation.method.upper() == "GET":
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case):
            case.call_and_validate(base_url=f"http://127.0.0.1:{server.port}", checks=checks)

        one()
    if mode is GenerationMode.POSITIVE:  # not only what no model sees was sent; which texts are made is chance
        assert re.search(r'route="/v1/predict",status="(200|422)"', server.get("/metrics").body.decode())


def test_the_api_is_described_in_a_browser_without_a_network(server):
    with browser() as opened:
        context = opened.new_context()
        page, asked, erred = context.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: erred.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: erred.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.port}/docs")
        page.get_by_text("/v1/predict").first.wait_for()
        page.get_by_text("/v1/predict").first.click()
        page.get_by_text("A prediction for each input").first.wait_for()
        own = f"http://127.0.0.1:{server.port}/"
        assert [url for url in asked if not url.startswith((own, "data:"))] == []
        assert erred == []
        context.close()
