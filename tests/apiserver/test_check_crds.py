"""`reconciler check` on a cluster without our CRDs, and with those of another release.

In a control plane of its own: the other tests need the kinds as they are.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from reconciler.crds import crds
from tests.apiserver.checks import Told, admin, check
from tests.apiserver.runs import Shop
from tests.controlplane import Api, apply_crd, eventually, fresh

pytestmark = [pytest.mark.apiserver]

NAME = "workflowexecutions.workflowexecution.kubernaut.ai"
PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}"
INSTALL = "reconciler crds | kubectl apply --server-side -f -"


@pytest.fixture(scope="module")
def apart(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """An empty cluster, as its admin."""
    with fresh(request) as plane:
        yield admin(Api.of(plane.kubeconfig), "default", plane.kubeconfig)


def lines(told: Told) -> dict[str, str]:
    return {name: line["status"] for name, line in told.lines.items() if name.startswith("crd/")}


def install(shop: Shop, crd: dict[str, Any], told: str) -> Told:
    """The report once the server publishes that schema; it does so some moment later."""
    apply_crd(shop.api, crd)
    seen: list[Told] = []

    def published() -> bool:
        seen.append(check(shop))
        return told in seen[-1].lines["crd/workflowexecutions"]["found"]

    eventually(published, f"no report says {told}")
    return seen[-1]


def shipped() -> dict[str, Any]:
    return deepcopy(next(each for each in crds() if each["metadata"]["name"] == NAME))


def test_crds_that_are_missing_old_or_newer_are_told_and_those_we_ship_are_good(
    apart: Shop,
) -> None:
    """Contract 9: each with what to do; --pre does not ask for them."""
    told = check(apart)
    assert set(lines(told).values()) == {"failed"}
    assert told.of("failed") == list(lines(told))
    assert {told.lines[name]["advice"] for name in lines(told)} == {INSTALL}
    assert check(apart, "--pre").code == 0

    for crd in crds():
        apply_crd(apart.api, crd)
    told = install(apart, shipped(), "as this release ships it")
    eventually(lambda: check(apart).code == 0, "the CRDs that we ship are not good")
    assert set(lines(check(apart)).values()) == {"ok"}

    old = shipped()
    fields = old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    del fields["spec"]["properties"]["ttlSecondsAfterSettled"]
    old["spec"]["versions"][0]["schema"]["openAPIV3Schema"].pop("x-kubernetes-validations")
    assert apart.api.delete(PATH)[0] == 200
    eventually(lambda: apart.api.get(PATH)[0] == 404, "the CRD is not gone")
    told = install(apart, old, "spec.ttlSecondsAfterSettled")
    assert told.of("failed") == ["crd/workflowexecutions"]
    assert told.lines["crd/workflowexecutions"]["advice"] == INSTALL

    later = shipped()
    fields = later["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    fields["spec"]["properties"]["colour"] = {"type": "string", "maxLength": 9}
    told = install(apart, later, "does not have spec.colour")
    assert (told.code, told.of("warning")) == (0, ["crd/workflowexecutions"])
