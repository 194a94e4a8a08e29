"""Each feature of the chart, under Helm 3 and Helm 4: linted, rendered, valid."""

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.chart.releases import (
    CASES,
    CHART,
    NEWEST,
    OLDEST,
    canonical,
    each_case,
    each_helm,
    helm,
    key,
    rendered,
    template,
    text,
    values_of,
)

_FOREIGN = ("PrometheusRule",)  # of the Prometheus operator: not a kind of Kubernetes


@each_helm
@each_case
def test_lint_finds_nothing(case: str, program: str) -> None:
    """Strict: a warning is a failure."""
    done = helm("lint", "--strict", str(CHART), "--values", str(values_of(case)), program=program)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@each_helm
@each_case
def test_two_renders_are_one(case: str, program: str) -> None:
    """A GitOps tool that renders at every look must see no difference."""
    again = template("--values", str(values_of(case)), program=program)
    assert again.stdout == text(case, program)


@each_case
def test_both_helms_make_the_same_objects(case: str) -> None:
    """In whichever order, for whichever of the supported versions of Kubernetes."""
    made = {
        frozenset(map(canonical, rendered(case, program, version)))
        for program, version in (("helm", NEWEST), ("helm3", NEWEST), ("helm", OLDEST))
    }
    assert len(made) == 1


@each_case
def test_no_object_is_made_twice(case: str) -> None:
    """Two of one name: the second would overwrite the first."""
    keys = [key(each) for each in rendered(case)]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    "version", [pytest.param(version, id=version) for version in ("1.31", "1.37")]
)
def test_every_object_is_valid_for_kubernetes(version: str) -> None:
    """By its own schemas, strict: no field that it does not know."""
    every = {canonical(each): each for case in CASES for each in rendered(case)}
    assert len(every) > 100
    for each in every.values():
        if each["kind"] not in _FOREIGN:
            kubernetes_validate.validate(each, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_would_be_seen() -> None:
    """So that the test above can fail."""
    wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "payload": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


@each_helm
def test_a_kubernetes_without_selectable_fields_is_refused(program: str) -> None:
    """Contract 2: 1.31 or newer."""
    done = template(program=program, kubernetes="1.30.9")
    assert done.returncode != 0
    assert "1.31.0" in done.stderr
