"""A repository of definitions, as a team has it: one file a workflow, three steps in a row."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "D",
    "GIT_AUTHOR_EMAIL": "d@example.org",
    "GIT_COMMITTER_NAME": "D",
    "GIT_COMMITTER_EMAIL": "d@example.org",
}
_ROW = {"step-0": (), "step-1": ("step-0",), "step-2": ("step-1",)}
_DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("a",), "e": ("b", "c", "d")}
Shape = Mapping[str, Sequence[str]]  # a step and what it waits for


def document(
    number: int, change: int = 0, kind: str = "WorkflowDefinition", shape: Shape = _ROW
) -> str:
    """A change makes it another content."""
    steps = "".join(
        f"      - name: {name}\n        action: ScaleDeployment\n        timeout: 24h\n"
        f"        parameters: {{scaleDeployment: {{deploymentName: shop, replicas: {change}}}}}\n"
        f"        dependsOn: [{', '.join(after)}]\n"
        for name, after in shape.items()
    )
    return (
        f"apiVersion: workflowexecution.kubernaut.ai/v1alpha1\nkind: {kind}\n"
        f"metadata:\n  name: team-{number}\nspec:\n  workflowDefinition:\n    steps:\n{steps}"
    )


@dataclass(frozen=True)
class Repository:
    """On this machine; runs read it over file://."""

    folder: Path
    shape: Shape = field(default_factory=lambda: _ROW)

    @classmethod
    def of(cls, folder: Path, documents: int, *, diamond: bool = False) -> "Repository":
        folder.mkdir()
        repository = cls(folder, _DIAMOND if diamond else _ROW)
        repository._git("init", "--quiet", "--initial-branch=main")
        repository.commit(range(documents))
        return repository

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def commit(self, numbers: Sequence[int], change: int = 0) -> None:
        """These documents, each as of this change."""
        for number in numbers:
            (self.folder / f"{number}.yaml").write_text(document(number, change, shape=self.shape))
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", f"change {change}")

    def _git(self, *arguments: str) -> None:
        environment = {"PATH": os.environ["PATH"], **_ENVIRONMENT}
        subprocess.run(["git", *arguments], cwd=self.folder, env=environment, check=True)


def manifests(folder: Path, numbers: Sequence[int], change: int = 0) -> Path:
    """The same as executions, for `kubectl apply`."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        text = document(number, change, kind="WorkflowExecution")
        (folder / f"{number}.yaml").write_text(text)
    return folder
