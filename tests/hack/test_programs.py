"""Where hack/cluster gets its programs from, and what it says when it cannot.

A stand-in for Go writes what it is asked to build, so that no test compiles anything.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from hack.controlplane.modules import KUBERNETES
from tests.controlplane import ROOT

_CLUSTER = (sys.executable, str(ROOT / "hack" / "cluster"))

# Two packages to compile; `build` notes that it was called, and answers with a program.
_GO = """\
#!/bin/sh
case "$1" in
env) test "$2" = GOVERSION && echo go1.99.0 || echo "$HOME/go-build" ;;
list) test "$2" = -deps && echo one two || printf 'changed\\nchanged\\n' ;;
mod) test -z "$OFFLINE" || { echo "dial tcp: no route to host" >&2; exit 1; } ;;
build)
  echo "$PWD" >>"$HOME/builds"
  sleep "${SLOW:-0}"
  while test "$1" != -o; do shift; done
  echo some/package >&2
  test -z "$BROKEN" || { echo "main.go:1:1: syntax error" >&2; exit 1; }
  printf '#!/bin/sh\\n' >"$2" && chmod +x "$2" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that has a Go and nothing else of ours."""
    programs = tmp_path / "bin"
    programs.mkdir()
    _program(programs / "go", _GO)
    return {"HOME": str(tmp_path), "PATH": f"{programs}:{os.defpath}"}


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _cluster(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_CLUSTER, *arguments], env=env, capture_output=True, text=True, check=False
    )


def _builds(machine: Mapping[str, str]) -> list[str]:
    noted = Path(machine["HOME"]) / "builds"
    return [Path(line).name for line in noted.read_text().splitlines()] if noted.exists() else []


def test_programs_are_built_once_into_the_users_cache(machine: dict[str, str]) -> None:
    """The second call finds them; the folder stands on stdout."""
    first = _cluster("build", env=machine)
    assert first.returncode == 0, first.stderr
    assert _builds(machine) == ["kubernetes", "kwok"]
    kubernetes, kwok = map(Path, first.stdout.split())
    cache = Path(machine["HOME"]) / ".cache" / "reconciler" / "programs"
    assert kubernetes.parent == kwok.parent == cache
    assert {each.name for each in kubernetes.iterdir()} >= {"etcd", "kube-apiserver", "kubectl"}
    assert _cluster("build", env=machine).stdout == first.stdout
    assert _builds(machine) == ["kubernetes", "kwok"]


def test_two_callers_never_build_the_same(machine: dict[str, str]) -> None:
    """The second says that it waits for the first."""
    slow = machine | {"SLOW": "1"}
    with subprocess.Popen(
        [*_CLUSTER, "build"], env=slow, stderr=subprocess.PIPE, text=True
    ) as other:
        one = _cluster("build", env=slow)
        assert other.stderr
        told = one.stderr + other.stderr.read()
    assert (one.returncode, other.returncode) == (0, 0)
    assert sorted(_builds(machine)) == ["kubernetes", "kwok"]
    assert "Another process builds kubernetes: waiting for it" in told


def test_a_build_that_fails_says_why_and_leaves_nothing(machine: dict[str, str]) -> None:
    """The compiler's words, no traceback, and no half a program."""
    answer = _cluster("build", env=machine | {"BROKEN": "yes"})
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-2:] == [
        "hack/cluster: kubernetes could not be built:",
        "main.go:1:1: syntax error",
    ]
    programs = Path(machine["HOME"]) / ".cache" / "reconciler" / "programs"
    assert list(programs.iterdir()) == []


def test_sources_that_cannot_be_fetched_are_told_as_such(machine: dict[str, str]) -> None:
    """It names the proxy, which is what to look at."""
    answer = _cluster("build", env=machine | {"OFFLINE": "yes"})
    assert answer.returncode == 1
    assert "The sources of kubernetes could not be fetched" in answer.stderr
    assert "GOPROXY" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_programs_of_the_machine_in_the_pinned_version_are_taken(
    machine: dict[str, str], tmp_path: Path
) -> None:
    """KUBEBUILDER_ASSETS, all of them in exactly the version."""
    pinned, etcd = KUBERNETES.version, KUBERNETES.version_of("go.etcd.io/etcd/server/v3")
    assets = tmp_path / "assets"
    assets.mkdir()
    for name, told in (
        ("etcd", f"etcd Version: {etcd.removeprefix('v')}"),
        ("kube-apiserver", f"Kubernetes {pinned}"),
        ("kube-controller-manager", f"Kubernetes {pinned}"),
        ("kube-scheduler", f"Kubernetes {pinned}"),
    ):
        _program(assets / name, f"#!/bin/sh\necho {told}\n")
    given = machine | {"KUBEBUILDER_ASSETS": str(assets)}
    assert _cluster("build", env=given).stdout.split()[0] == str(assets)
    assert _builds(machine) == ["kwok"]
    _program(assets / "kube-scheduler", f"#!/bin/sh\necho Kubernetes {pinned}0\n")
    assert _cluster("build", env=given).stdout.split()[0] != str(assets)
    assert _builds(machine) == ["kwok", "kubernetes"]


def test_a_tool_on_path_comes_first(machine: dict[str, str], tmp_path: Path) -> None:
    """In whatever version; its path is all of stdout."""
    _program(tmp_path / "bin" / "pushgateway", "#!/bin/sh\n")
    answer = _cluster("tool", "pushgateway", env=machine)
    assert answer.stdout == f"{tmp_path / 'bin' / 'pushgateway'}\n"
    assert answer.stderr == ""


def test_a_tool_that_cannot_be_had_is_named_with_a_remedy(
    machine: dict[str, str], tmp_path: Path
) -> None:
    """A machine that is no Debian."""
    answer = _cluster("tool", "promtool", env=machine | {"PATH": str(tmp_path / "bin")})
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1] == "Put a `promtool` on PATH, then it is used."


def test_nothing_to_end_is_no_error(machine: dict[str, str]) -> None:
    """`down` may be said twice."""
    assert _cluster("down", env=machine).returncode == 0
    assert _cluster("status", env=machine).returncode == 1
    asked = _cluster("kubeconfig", env=machine)
    assert (asked.returncode, asked.stdout) == (1, "")
    assert "hack/cluster up" in asked.stderr
