"""A source and a cluster in memory, at the moments that several tests begin with."""

import pytest

from tests.unit.stages.scene import Scene, document


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def running(scene: Scene) -> Scene:
    """The first content of a definition executes, and git holds a second."""
    scene.source.commit(document(replicas=1))
    scene.run().source()
    scene.run().workflows()
    scene.source.commit(document(replicas=2))
    return scene


@pytest.fixture
def over(scene: Scene) -> Scene:
    """A definition's content has run."""
    scene.source.commit(document())
    run = scene.run()
    run.source()
    run.workflows()
    run.settle(scene.runs[0])
    scene.writes()
    return scene
