"""Each value: described once, known to the schema, used by a template, shown by a case.

What a schema can refuse it refuses, and what it cannot the chart says in words.
"""

import copy
import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hack import chart
from reconciler.settings import parse
from tests.chart.releases import (
    CASES,
    CHART,
    cron_job,
    each_helm,
    rendered,
    template,
    text,
    values_of,
)

_SCHEMA = json.loads((CHART / "values.schema.json").read_text())
_VALUES = list(chart.values())
_LEAVES = [value for value in _VALUES if value.default]

# Maps whose keys are the user's, or Kubernetes', which checks them itself.
_OPEN = {
    "global",
    "affinity",
    "resources.requests",
    "resources.limits",
    "dashboards.labels",
}

_WHOLE = ("podSecurityContext", "securityContext")  # Kubernetes' types, handed on as they are

each_leaf = pytest.mark.parametrize(
    "value",
    [pytest.param(value, id=value.name) for value in _LEAVES if value.path[0] not in _WHOLE],
)


def _load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text())
    return loaded


def _nodes(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield path, schema
    for name, node in schema.get("properties", {}).items():
        yield from _nodes(node, f"{path}.{name}".strip("."))


def test_what_is_made_of_the_comments_is_what_they_say() -> None:
    """README and schema; `make generate` heals it."""
    assert chart.generate(check=True) == []


def test_the_schema_knows_every_value_and_no_other() -> None:
    """A value that nobody described does not exist."""
    known = {path for path, _ in _nodes(_SCHEMA)} - {"", "global"}
    assert known == {value.name for value in _VALUES}


def test_the_schema_is_closed_but_for_maps_of_the_users() -> None:
    """A typo is refused, at whichever depth."""
    for path, node in _nodes(_SCHEMA):
        theirs = path in _OPEN or path.partition(".")[0] in _WHOLE
        if node.get("type") == "object" and not theirs:
            assert node["additionalProperties"] in (False, {"type": "string"}), path


def test_every_value_has_a_type() -> None:
    """Of draft 7, which both Helms read."""
    assert _SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert [path for path, node in _nodes(_SCHEMA) if not {"type", "enum"} & set(node)] == []


@each_helm
@pytest.mark.parametrize(
    "typo",
    [
        pytest.param("scheduled=x", id="of-a-value"),
        pytest.param("source.urll=x", id="inside-a-part"),
        pytest.param("git.ssh.secret=x", id="two-parts-deep"),
        pytest.param("verify.gpgKeyring.name=x", id="of-another-parts-key"),
    ],
)
def test_a_typo_is_refused(typo: str, program: str) -> None:
    """Not silently a default."""
    done = template("--set", typo, program=program)
    assert done.returncode != 0
    assert f"'{typo.partition('=')[0].rpartition('.')[2]}' not allowed" in done.stderr


@each_helm
def test_what_a_parent_chart_gives_to_all_passes(program: str) -> None:
    """As a part of another chart this one is handed `global`."""
    done = template("--set", "global.imageRegistry=x", program=program)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("value", "where"),
    [
        pytest.param("image.tag=latest", "/image/tag", id="an-image-of-no-version"),
        pytest.param("image.digest=abc", "/image/digest", id="half-a-digest"),
        pytest.param("source.url=http://git/x", "/source/url", id="a-url-without-tls"),
        pytest.param("source.url=https://u:p@git/x", "/source/url", id="a-password-in-a-url"),
        pytest.param("source.url=ssh://u:p@git/x", "/source/url", id="a-password-for-ssh"),
        pytest.param("source.firstRun=never", "/source/firstRun", id="an-unknown-word"),
        pytest.param("source.paths={/etc}", "/source/paths/0", id="a-path-outside"),
        pytest.param("source.name=Shop", "/source/name", id="a-name-that-is-no-label"),
        pytest.param("pushgateway.url=http://u:p@g", "/pushgateway/url", id="a-gateways-password"),
        pytest.param("schedule=every minute", "/schedule", id="a-schedule-that-cron-cannot-read"),
        pytest.param("deadline=50", "/deadline", id="a-duration-without-a-unit"),
        pytest.param("maxConcurrentSteps=0", "/maxConcurrentSteps", id="no-step-at-once"),
        pytest.param("startingDeadlineSeconds=5", "/startingDeadlineSeconds", id="never-starts"),
        pytest.param("startingDeadlineSeconds=null", "startingDeadline", id="stops-for-good"),
        pytest.param("fullnameOverride=" + "x" * 53, "/fullnameOverride", id="a-name-too-long"),
        pytest.param("tmp.sizeLimit=", "/sizeLimit", id="a-folder-without-a-bound"),
        pytest.param("networkPolicy.git.cidrs={git}", "/networkPolicy/git", id="no-address"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_the_schema(value: str, where: str) -> None:
    """Told at installation, with the path of the value."""
    done = template("--set", value)
    assert done.returncode != 0
    assert where in done.stderr


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://git.example.com/a@b/c.git", id="an-at-sign-in-a-path"),
        pytest.param("https://git.example.com:8443/c.git", id="a-port"),
        pytest.param("file:///srv/git/workflows.git", id="a-folder"),
    ],
)
def test_a_url_that_the_run_takes_is_taken(url: str) -> None:
    """The schema refuses no more than the flag does."""
    assert template("--set", f"source.url={url}").returncode == 0
    assert parse([], {"RECONCILER_SOURCE_URL": url}).source_url == url


_SSH = "source.url=ssh://git@h/x"
_HTTPS = "source.url=https://h/x"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        pytest.param(f"{_SSH},git.ssh.secretName=k", "an unknown host is never trusted", id="ssh"),
        pytest.param(f"{_HTTPS},git.ssh.secretName=k", "begins with ssh://", id="key-for-https"),
        pytest.param("git.https.secretName=k", "begins with https://", id="token-without-source"),
        pytest.param(f"{_HTTPS},verify.commit=true", "who may sign", id="no-signers"),
        pytest.param("verify.commit=true", "verify.commit needs source.url", id="no-source"),
        pytest.param(
            f"{_HTTPS},verify.gpgKeyring.secretName=k",
            "without it no signature is looked at",
            id="signers-for-nothing",
        ),
        pytest.param("source.prune=true", "need source.url", id="prune-without-source"),
        pytest.param("interval=50s", "must be shorter than deadline (50s)", id="interval"),
        pytest.param("deadline=0s", "deadline must be at least 1s", id="no-time"),
        pytest.param("deadline=5m,activeDeadlineSeconds=300", "10 seconds or more", id="cut-off"),
        pytest.param("scope.allNamespaces=true,scope.namespace=x", "exclude each", id="scopes"),
        pytest.param("source.name=none", "stands for a release without a source", id="none"),
        pytest.param(
            "pushgateway.url=http://g,pushgateway.urlSecret.name=s", "exclude each", id="two-urls"
        ),
    ],
)
def test_values_that_do_not_fit_together_are_told_in_words(values: str, told: str) -> None:
    """By the installation, not by a pod that fails a minute later."""
    done = template("--set", values)
    assert done.returncode != 0
    assert told in done.stderr


# --- each value has an effect ---------------------------------------------------------------


@functools.cache
def _cases_with(name: str) -> tuple[str, ...]:
    return tuple(case for case in CASES if _without(_load(values_of(case)), name) is not None)


def _without(values: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The values but for one; None when it is not among them."""
    left = copy.deepcopy(values)
    *parts, last = name.split(".")
    node: Any = left
    for part in parts:
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last not in node:
        return None
    del node[last]
    return left


@each_leaf
def test_a_value_changes_what_is_made(value: chart.Value, tmp_path: Path) -> None:
    """Some case states it, and without it the release is another one."""
    cases = _cases_with(value.name)
    assert cases, f"no case of ci/ states {value.name}"
    case = cases[0]
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps(_without(_load(values_of(case)), value.name)))
    done = template("--values", str(file))
    changed = done.returncode != 0 or done.stdout != text(case)
    assert changed, f"{case} is the same without {value.name}"


def test_both_security_contexts_are_taken_whole() -> None:
    """Every key of them, one that the chart does not know as well."""
    pod = cron_job(rendered("pod"))["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    stated, told = _load(CHART / "values.yaml"), _load(values_of("pod"))
    assert pod["containers"][0]["securityContext"] == stated["securityContext"]
    assert pod["securityContext"] == {**stated["podSecurityContext"], **told["podSecurityContext"]}
