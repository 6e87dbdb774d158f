"""/openapi.json says of every route what it takes, what it answers, and how it refuses."""

from typing import Any

import pytest
from served_app import application

Operations = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return application([tmp_path_factory.mktemp("empty")]).openapi()


def operations(document: dict[str, Any]) -> Operations:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_says_what_it_answers_and_how_it_refuses(document: dict[str, Any]) -> None:
    found = operations(document)
    assert len(found) > 20
    for method, path, operation in found:
        where = f"{method} {path}"
        assert len(operation["description"]) > 10, where
        assert len(operation["tags"]) == 1, where
        responses = operation["responses"]
        assert {"4XX", "5XX"} < set(responses), where
        assert "422" not in responses, where  # FastAPI's shape, which nothing here has
        for status, response in responses.items():
            assert response["content"], (where, status)
            for kind, about in response["content"].items():
                assert about["schema"], (where, status, kind)
        error = responses["4XX"]["content"]["application/json"]["schema"]["$ref"]
        assert error == "#/components/schemas/Error"
    assert set(document["components"]["schemas"]) == {"Error"}


def test_every_key_of_a_body_has_a_type_and_a_help(document: dict[str, Any]) -> None:
    bodies = 0
    for method, path, operation in operations(document):
        if method != "post":
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert schema["additionalProperties"] is False, path
        for name, key in schema["properties"].items():
            assert key.keys() & {"type", "anyOf", "enum", "const"}, (path, name)
            assert key["description"], (path, name)
            bodies += 1
    assert bodies > 50


def test_the_page_of_the_lab_stays_out(document: dict[str, Any]) -> None:
    assert not [path for path in document["paths"] if path == "/" or path.startswith("/page")]
