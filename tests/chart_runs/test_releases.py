"""What Helm makes of the chart on a real server: install, upgrade, roll back, uninstall."""

from collections import Counter

import pytest

from tests.chart_runs.releases import Releases
from tests.controlplane import eventually

pytestmark = pytest.mark.apiserver

_HELMS = [pytest.param("helm3", id="helm-3"), pytest.param("helm", id="helm-4")]
_SUSPENDED = {"suspend": True}


@pytest.mark.parametrize("version", _HELMS)
def test_a_release_is_installed_upgraded_rolled_back_and_uninstalled(
    releases: Releases, version: str
) -> None:
    """The server holds what the release says after each; the CRDs outlive it."""
    release = releases(version)
    release.helm.install(_SUSPENDED)
    first = release.helm.manifest()
    assert release.missing(first) == Counter()
    assert release.cronjob["spec"]["schedule"] == "* * * * *"
    assert len(release.kinds()) == 3

    release.helm.upgrade(
        {**_SUSPENDED, "schedule": "*/5 * * * *", "networkPolicy": {"enabled": True}}
    )
    assert release.cronjob["spec"]["schedule"] == "*/5 * * * *"
    upgraded = release.helm.manifest()
    added = [each for each in upgraded if each["kind"] == "NetworkPolicy"]
    assert added
    assert release.missing(upgraded) == Counter()

    release.helm.rollback(1)
    assert release.cronjob["spec"]["schedule"] == "* * * * *"
    assert release.missing(first) == Counter()
    assert release.missing(added) == Counter({"NetworkPolicy": len(added)})

    release.helm.uninstall()
    gone = Counter(each["kind"] for each in first)
    del gone["CustomResourceDefinition"]
    assert release.missing(first) == gone
    assert len(release.kinds()) == 3


@pytest.mark.parametrize("version", _HELMS)
def test_crds_go_with_the_release_only_where_nobody_keeps_them(
    releases: Releases, version: str
) -> None:
    """A CRD takes every workflow and record with it: who wants that says so."""
    release = releases(version)
    release.helm.install({**_SUSPENDED, "crds": {"keep": False}})
    assert len(release.kinds()) == 3
    release.served()
    release.helm.uninstall()
    eventually(lambda: release.kinds() == [], "the CRDs stay")


@pytest.mark.parametrize("version", _HELMS)
def test_crds_that_were_kept_are_taken_up_again_by_the_next_release(
    releases: Releases, version: str
) -> None:
    """Uninstall and install leaves nobody stuck, and no workflow is lost."""
    release = releases(version)
    release.helm.install(_SUSPENDED)
    release.helm.uninstall()
    release.helm.install(_SUSPENDED)
    assert release.missing(release.helm.manifest()) == Counter()


@pytest.mark.parametrize("version", _HELMS)
def test_a_second_release_installs_no_crds_where_it_is_told_so(
    releases: Releases, version: str
) -> None:
    """Several releases in one cluster do not fight over what belongs to the cluster."""
    release = releases(version)
    release.helm.install({**_SUSPENDED, "crds": {"install": False}})
    kinds = {each["kind"] for each in release.helm.manifest()}
    assert "CustomResourceDefinition" not in kinds
    assert "CronJob" in kinds
