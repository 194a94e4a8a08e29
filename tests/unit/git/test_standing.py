"""A run whose ref has not moved, counted at git's server and at the API server."""

from pathlib import Path

import pytest

from reconciler.git.repository import GitSource
from reconciler.git.signatures import Trust
from tests.gitservers import HttpServer
from tests.signing import signed, ssh_key
from tests.unit.git.reading import source
from tests.unit.stages.scene import Run, Scene, document

FILES: dict[str, str | bytes] = {"a.yaml": document("one"), "b.yaml": document("two")}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def run(scene: Scene, asked: GitSource) -> Run:
    """A process that reads a real repository."""
    scene.source = asked  # type: ignore[assignment]  # the seam's other side
    return scene.run()


def questions(server: HttpServer) -> list[str]:
    """Requests since the last call; each git command begins with one for the refs."""
    told = [each.get("Content-Type", "refs") for each in server.seen]
    server.seen.clear()
    return told


def test_one_question_to_the_repository_and_no_file_read_and_nothing_written(
    git_http: HttpServer, scene: Scene
) -> None:
    """Contract 5: source and apply end after `ls-remote`; what is not fetched is not parsed."""
    git_http.repository.commit(FILES)
    assert run(scene, source(git_http.url)).source().whole
    assert len(questions(git_http)) > 2
    scene.writes()
    assert run(scene, source(git_http.url)).source().results == {}
    assert questions(git_http) == ["refs", "application/x-git-upload-pack-request"]
    assert sum(git_http.sent[-2:]) < 1_000  # bytes: one name and one id
    assert scene.writes() == []


def test_with_signatures_that_one_commit_is_fetched_too(
    git_http: HttpServer, scene: Scene, tmp_path: Path
) -> None:
    """Contract 5: with `--verify` it is checked again, and its files stay where they are."""
    git_http.repository.git("config", "uploadpack.allowFilter", "true")
    key = ssh_key(tmp_path, "dana")
    (tmp_path / "allowed").write_text(key.allowed("dana@example.org"))
    trust = Trust(allowed_signers=tmp_path / "allowed")
    signed(git_http.repository, key, {**FILES, "large.bin": bytes(range(256)) * 4_000})
    assert run(scene, source(git_http.url, trust=trust)).source().whole
    scene.writes()
    git_http.sent.clear()
    assert run(scene, source(git_http.url, trust=trust)).source().results == {}
    assert sum(git_http.sent) < 8_000
    assert scene.writes() == []
