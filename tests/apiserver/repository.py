"""A git repository that a run reads, as people write one."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.api import WORKFLOW_API
from tests.apiserver.objects import Body

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "person@example.com",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "person@example.com",
}


@dataclass(frozen=True)
class Repository:
    """One branch, `main`, of files."""

    folder: Path

    @classmethod
    def new(cls, folder: Path) -> "Repository":
        """Without a commit."""
        folder.mkdir(parents=True)
        made = cls(folder)
        made.git("init", "--quiet", "--initial-branch=main")
        return made

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def commit(self, files: Mapping[str, str | bytes | None], message: str = "Change") -> str:
        """The commit's id, after these files were written, or deleted where there is None."""
        for path, content in files.items():
            file = self.folder / path
            if content is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **_ENVIRONMENT},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


def document(name: str, *steps: Body, kind: str = "WorkflowDefinition", **spec: object) -> str:
    """A document of a source, in JSON, which is YAML."""
    whole = {
        "apiVersion": WORKFLOW_API,
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"workflowDefinition": {"steps": list(steps)}, **spec},
    }
    return json.dumps(whole, indent=2)
