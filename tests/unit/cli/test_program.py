"""`reconciler COMMAND`: what is found, what is suggested, what is loaded."""

import json
import os
import subprocess
import sys

import pytest

from reconciler.cli.program import COMMANDS, main
from reconciler.crds import crds_yaml
from reconciler.version import version

HEAVY = ("kubernetes", "git", "prometheus_client", "urllib3", "tenacity")


def reconciler(
    *argv: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """As a process of its own, as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment or os.environ,
    )


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param([], id="nothing"),
        pytest.param(["--help"], id="the-flag"),
        pytest.param(["-h"], id="the-short-flag"),
        pytest.param(["help"], id="the-word"),
    ],
)
def test_without_a_command_the_help_is_printed(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Contract 9: data goes to stdout."""
    assert main(argv) == 0
    told = capsys.readouterr()
    assert all(f"  {name} " in told.out for name in COMMANDS)
    assert told.err == ""


@pytest.mark.parametrize(
    ("word", "message"),
    [
        pytest.param("crd", "unknown command 'crd'; did you mean crds?", id="a-typo"),
        pytest.param(
            "x", "unknown command 'x'; there are run, check, crds, version", id="anything"
        ),
        pytest.param(
            "--deadline", "unknown flag '--deadline'; there are run", id="a-flag-too-early"
        ),
    ],
)
def test_an_unknown_command_is_wrong_usage_and_the_nearest_is_named(
    word: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Contract 7: exit 2."""
    assert main([word]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"reconciler: {message}")


def test_the_version_is_the_one_that_was_installed(capsys: pytest.CaptureFixture[str]) -> None:
    """Contract 9."""
    assert main(["version"]) == 0
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"reconciler {version()}\n" * 2


def test_the_version_can_be_read_by_a_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """Contract 9: `-o json`."""
    assert main(["version", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["version"] == version()
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))


def test_the_crds_are_printed_for_kubectl(capsys: pytest.CaptureFixture[str]) -> None:
    """Contract 9: YAML on stdout and nothing else."""
    assert main(["crds"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == (crds_yaml(), "")


def test_wrong_flags_of_a_run_are_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Contract 7: exit 2, no usage text, no traceback."""
    assert main(["run", "--deadline", "soon"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "reconciler run: --deadline must be a duration, as in 50s, 1m30s or 500ms, not 'soon'\n"
    )


# --- processes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [pytest.param("version", id="version"), pytest.param("crds", id="crds")]
)
def test_what_needs_no_cluster_loads_no_client(command: str) -> None:
    """Start-up: the Kubernetes client is most of a start, and `crds | kubectl apply` needs none."""
    script = (
        "import sys\n"
        "from reconciler.cli.program import main\n"
        f"code = main([{command!r}])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.strip() == "[]"


def test_the_exit_code_of_the_process_is_that_of_the_command() -> None:
    """Contract 7."""
    assert reconciler("version").returncode == 0
    assert reconciler("nonsense").returncode == 2


def test_all_of_the_output_arrives_though_the_process_leaves_fast() -> None:
    """Leaving without teardown must not lose what was written."""
    assert reconciler("crds").stdout == crds_yaml()


def test_a_reader_that_went_away_leaves_no_traceback() -> None:
    """`reconciler crds | head -1`."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "reconciler", "crds"],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_without_a_kubeconfig_the_way_out_is_told(tmp_path: object) -> None:
    """Contract 7: exit 2, and the sentence ends with what to do."""
    environment = {**os.environ, "KUBECONFIG": f"{tmp_path}/none", "KUBERNETES_SERVICE_HOST": ""}
    done = reconciler("run", environment=environment)
    assert done.returncode == 2
    assert "--kubeconfig" in done.stderr
    assert "Traceback" not in done.stderr
