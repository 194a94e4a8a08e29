"""What stands around the program: Dockerfile, scripts, Makefile, hooks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    """The image cannot be built everywhere; it is linted everywhere."""
    linted = subprocess.run(
        [BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert linted.stdout + linted.stderr == ""


def test_the_image_runs_as_nobody_in_particular() -> None:
    """The `restricted` pod security standard: non-root, by number."""
    users = re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)
    assert users == ["65532:65532"]


def test_every_stage_of_the_image_starts_from_the_one_pinned_base() -> None:
    """Whoever releases it pins the digest in one place."""
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases == ["${PYTHON_IMAGE}"] * 2
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.13-slim-\w+$", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("helper", [pytest.param(name, id=name) for name in ("ext", "fd", "ftp")])
def test_the_image_has_no_helper_of_git_that_a_url_could_abuse(helper: str) -> None:
    """Contract 5: a URL reaches a repository, never a program."""
    [removed] = re.findall(r"for helper in ([a-z ]+); do rm -f", DOCKERFILE)
    assert helper in removed.split()


def test_what_the_image_installs_is_locked_by_hash() -> None:
    """Two builds of one commit hold the same code."""
    assert "--require-hashes --only-binary :all:" in DOCKERFILE
    for name in re.findall(r"requirements/[a-z]+\.txt", DOCKERFILE):
        text = (ROOT / name).read_text()
        pins = re.findall(r"^[A-Za-z0-9_.-]+(?:\[.*\])?==", text, re.MULTILINE)
        assert pins
        assert text.count("--hash=sha256:") >= len(pins)


def test_no_requirement_names_the_registry_that_it_came_from() -> None:
    """A lock file works with whichever index its user has."""
    for path in (ROOT / "requirements").glob("*.txt"):
        assert not re.search(r"https?://|--(extra-)?index-url", path.read_text())


def test_shellcheck_finds_nothing_in_the_scripts() -> None:
    """Scripts fail where they should, and nowhere else."""
    scripts = [ROOT / ".ci" / "run", *sorted((ROOT / "hack").rglob("*.sh"))]
    linted = subprocess.run(
        [BIN / "shellcheck", *scripts], capture_output=True, text=True, check=False
    )
    assert linted.stdout + linted.stderr == ""


def test_make_alone_tells_what_there_is() -> None:
    """The front door: every target of a newcomer has its line."""
    told = subprocess.run(
        ["make", "-C", ROOT, "--no-print-directory"], capture_output=True, text=True, check=True
    ).stdout
    listed = {line.split()[1] for line in told.splitlines()}
    assert {
        *("help", "setup", "demo", "fmt", "check", "test", "test-unit", "test-apiserver"),
        "test-e2e",
        *("generate", "lock", "bench", "image", "soak", "explore", "mutants", "clean"),
    } == listed


def test_the_demo_takes_a_cluster_only_when_make_is_told_one() -> None:
    """`KUBECONFIG` of a shell may be production."""
    asked = ["make", "-C", str(ROOT), "-n", "demo"]
    from_shell = subprocess.run(
        asked,
        env={"PATH": "/usr/bin:/bin", "KUBECONFIG": "/prod"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    told = subprocess.run(
        [*asked, "KUBECONFIG=/mine"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "/prod" not in from_shell
    assert "env -u KUBECONFIG" in from_shell
    assert "--kubeconfig '/mine'" in told


def test_the_hooks_run_the_versions_of_the_lock() -> None:
    """One place for versions: nothing is fetched from a repository of hooks."""
    hooks = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [each["repo"] for each in hooks] == ["local"]
    for hook in hooks[0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")
