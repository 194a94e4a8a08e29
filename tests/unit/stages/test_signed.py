"""Stages 2 and 3 where signatures are asked for: asked at every run, told on every object."""

from dataclasses import replace

import pytest

from reconciler.core.signer import SIGNED_BY, SIGNER_FINGERPRINT, Signer
from reconciler.errors import SourceError
from tests.unit.stages.scene import Scene, document

DANA = Signer("dana@example.org", f"SHA256:{'a' * 43}")
SAM = Signer("sam@example.org", f"SHA256:{'b' * 43}")


def signed(scene: Scene, signer: Signer | None, *documents: str) -> str:
    commit = scene.source.commit(*documents)
    snapshot = scene.source.fetch(commit)
    scene.source.keep(replace(snapshot, signer=signer))
    scene.source.fetched.clear()
    return commit


def signer_on(scene: Scene, name: str) -> tuple[str | None, str | None]:
    told = scene.annotations(name)
    return told.get(SIGNED_BY), told.get(SIGNER_FINGERPRINT)


def test_who_signed_stands_on_every_object_of_the_commit(scene: Scene) -> None:
    """Contract 5: principal and fingerprint, beside commit and blob."""
    signed(scene, DANA, document("one"), document("two"))
    scene.run().source()
    assert [signer_on(scene, name) for name in scene.runs] == [
        (DANA.principal, DANA.fingerprint)
    ] * 2


@pytest.mark.parametrize(
    ("signer", "told"),
    [
        pytest.param(SAM, (SAM.principal, SAM.fingerprint), id="another-signer"),
        pytest.param(None, (None, None), id="signatures-are-not-asked-for-any-more"),
    ],
)
def test_who_signed_an_older_commit_is_not_told_of_a_newer_one(
    scene: Scene, signer: Signer | None, told: tuple[str | None, str | None]
) -> None:
    """Contract 5: an approval that Sam signed is not Dana's."""
    signed(scene, DANA, document())
    run = scene.run()
    run.source()
    run.workflows()
    signed(scene, signer, document(more="  suspend: true\n"))
    scene.run().source()
    assert scene.workflow(scene.runs[0])["spec"]["suspend"] is True
    assert signer_on(scene, scene.runs[0]) == told


def test_a_ref_that_has_not_moved_has_its_commit_checked_again_and_nothing_else(
    scene: Scene,
) -> None:
    """Contract 5: after `ls-remote` that one commit is fetched and checked."""
    commit = signed(scene, DANA, document())
    scene.run().source()
    assert scene.whole
    scene.source.fetched.clear()
    scene.writes()
    assert scene.run().source().whole
    assert (scene.source.verified, scene.source.fetched) == ([commit], [])
    assert scene.writes() == []


def test_a_key_that_is_revoked_stops_the_next_run_though_the_ref_stands(scene: Scene) -> None:
    """Contract 5: fails closed; the stages of the source end, and write nothing."""
    commit = signed(scene, DANA, document())
    scene.run().source()
    scene.writes()
    scene.source.untrusted.add(commit)
    with pytest.raises(SourceError, match="which was revoked"):
        scene.run().source()
    assert scene.writes() == []


def test_a_commit_that_is_not_trusted_is_not_applied(scene: Scene) -> None:
    """Contract 5: neither its records nor its head."""
    signed(scene, DANA, document())
    scene.run().source()
    before = scene.head
    scene.writes()
    scene.source.untrusted.add(signed(scene, SAM, document(replicas=2)))
    scene.source.untrusted.add(scene.source.ref)
    with pytest.raises(SourceError):
        scene.run().source()
    assert scene.writes() == []
    assert scene.head == before
