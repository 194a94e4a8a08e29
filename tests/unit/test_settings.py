"""Flags, environment and defaults of a run, and what they must not say."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.flags import RUN
from reconciler.settings import Settings, parse, settle

SOURCE = ("--source-url", "https://git.example.com/shop.git")
SSH = ("--source-url", "ssh://git@git.example.com/shop.git")


@dataclass(frozen=True)
class Home:
    """What the kubeconfig, or the pod, says."""

    namespace: str = ""
    in_pod: bool = False


def settings(
    *argv: str, environment: Mapping[str, str] | None = None, home: Home | None = None
) -> Settings:
    return settle(parse(argv, environment or {}), home or Home())


def refusal(*argv: str, environment: Mapping[str, str] | None = None) -> str:
    with pytest.raises(UsageError) as refused:
        settings(*argv, environment=environment)
    return str(refused.value)


def test_without_flags_a_run_has_the_defaults_of_the_reference() -> None:
    """Contract 9."""
    assert settings() == Settings(
        source_url=None,
        source_ref="main",
        source_paths=(),
        source_name="default",
        namespace="default",
        state_namespace="default",
        request_timeout=30.0,
        max_concurrent_steps=5,
        deadline=50.0,
        interval=0.0,
        lease_name="reconciler-default",
        pushgateway_job="reconciler",
        log_format="text",
    )


def test_every_flag_reaches_the_run(tmp_path: Path) -> None:
    """Contract 9: what is given is what the run gets."""
    file = tmp_path / "secret"
    file.touch()
    name = str(file)
    told = settings(
        *("--source-url", "https://git.example.com/shop.git", "--source-ref", "v1.2"),
        *("--source-path", "prod/", "--source-path", "./common", "--source-name", "shop"),
        *("--git-username-file", name, "--git-token-file", name, "--git-ca-file", name),
        *("--kubeconfig", name, "--context", "eu-1", "-n", "shop", "--state-namespace", "ops"),
        *(
            "--selector",
            "team=shop,tier!=test",
            "--request-timeout",
            "1500ms",
            "--deadline",
            "1m30s",
        ),
        *("--max-concurrent-steps", "7", "--interval", "15", "--lease-name", "shop-eu"),
        *("--strict", "--source-moved", "--log-format", "json", "-vv"),
        *("--pushgateway-url", "http://pushgateway:9091", "--pushgateway-job", "shop"),
    )
    assert told == Settings(
        source_url="https://git.example.com/shop.git",
        source_ref="v1.2",
        source_paths=("prod", "common"),
        source_name="shop",
        source_moved=True,
        git_username_file=file,
        git_token_file=file,
        git_ca_file=file,
        kubeconfig=file,
        context="eu-1",
        namespace="shop",
        state_namespace="ops",
        selector="team=shop,tier!=test",
        request_timeout=1.5,
        max_concurrent_steps=7,
        deadline=90.0,
        interval=15.0,
        lease_name="shop-eu",
        strict=True,
        pushgateway_url="http://pushgateway:9091",
        pushgateway_job="shop",
        log_format="json",
        verbosity=2,
    )


# --- the environment ------------------------------------------------------------------------


def test_a_flag_can_be_given_in_the_environment() -> None:
    """Contract 9: `RECONCILER_<FLAG>`, repeatable ones comma-separated."""
    told = settings(
        environment={
            "RECONCILER_SOURCE_URL": "https://git.example.com/shop.git",
            "RECONCILER_SOURCE_PATH": "prod, common",
            "RECONCILER_DEADLINE": "20s",
            "RECONCILER_STRICT": "true",
            "RECONCILER_NO_LEASE": "false",
            "RECONCILER_VERBOSE": "1",
        }
    )
    assert told.source_paths == ("prod", "common")
    assert (told.deadline, told.strict, told.verbosity) == (20.0, True, 1)
    assert told.lease_name == "reconciler-default"


def test_the_command_line_wins_over_the_environment() -> None:
    """Contract 9."""
    environment = {"RECONCILER_DEADLINE": "20s", "RECONCILER_SOURCE_REF": "next"}
    told = settings("--deadline", "10s", environment=environment)
    assert (told.deadline, told.source_ref) == (10.0, "next")


def test_the_command_line_wins_over_an_alternative_in_the_environment() -> None:
    """Contract 9: `-n` where the environment says all namespaces."""
    told = settings("-n", "shop", environment={"RECONCILER_ALL_NAMESPACES": "true"})
    assert told.namespace == "shop"
    told = settings("--lease-name", "mine", environment={"RECONCILER_NO_LEASE": "true"})
    assert told.lease_name == "mine"


def test_an_empty_variable_counts_as_not_given() -> None:
    """Contract 9: charts set what they have no value for to nothing."""
    assert (
        settings(environment={"RECONCILER_DEADLINE": "", "RECONCILER_NAMESPACE": ""}) == settings()
    )


def test_what_is_wrong_in_the_environment_is_told_by_its_variable() -> None:
    """Errors say where: nobody looks for a flag that they did not type."""
    message = refusal(environment={"RECONCILER_DEADLINE": "soon"})
    assert message == (
        "RECONCILER_DEADLINE must be a duration, as in 50s, 1m30s or 500ms, not 'soon'"
    )
    assert refusal(environment={"RECONCILER_STRICT": "on"}) == (
        "RECONCILER_STRICT must be true or false, not 'on'"
    )


# --- namespaces -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "home", "namespaces"),
    [
        pytest.param((), Home(), ("default", "default"), id="nothing-says-one"),
        pytest.param((), Home("shop"), ("shop", "shop"), id="the-contexts-own"),
        pytest.param((), Home("ops", in_pod=True), ("ops", "ops"), id="the-pods-own"),
        pytest.param(("-n", "shop"), Home("dev"), ("shop", "shop"), id="named-on-a-laptop"),
        pytest.param(
            ("-n", "shop"),
            Home("ops", in_pod=True),
            ("shop", "ops"),
            id="the-state-of-a-pod-lives-with-the-pod",
        ),
        pytest.param(("-A",), Home("ops", in_pod=True), (None, "ops"), id="all-of-them-from-a-pod"),
        pytest.param(
            ("-A", "--state-namespace", "ops"), Home(), (None, "ops"), id="all-of-them-elsewhere"
        ),
        pytest.param(
            ("-n", "shop", "--state-namespace", "ops"),
            Home("dev", in_pod=True),
            ("shop", "ops"),
            id="both-named",
        ),
    ],
)
def test_the_namespaces_default_to_where_the_run_is(
    argv: tuple[str, ...], home: Home, namespaces: tuple[str | None, str]
) -> None:
    """Contract 9: the namespace of the run, and the one of its state."""
    told = settings(*argv, home=home)
    assert (told.namespace, told.state_namespace) == namespaces


def test_all_namespaces_outside_a_pod_need_one_for_the_state() -> None:
    """Contract 9."""
    assert refusal("-A").startswith("--all-namespaces outside a pod needs --state-namespace")


# --- Lease, dry run -------------------------------------------------------------------------


def test_the_lease_is_named_after_the_source() -> None:
    """Contract 1: two sources never wait for each other."""
    assert settings(*SOURCE, "--source-name", "shop").lease_name == "reconciler-shop"


def test_each_shard_has_a_lease_of_its_own() -> None:
    """Contract 1: and none that a source of another name has, which holds no dot."""
    assert settings(*SOURCE, "--shard", "2/5").lease_name == "reconciler-default.2"
    assert settings("--lease-name", "mine", "--shard", "0/2").lease_name == "mine.0"
    assert settings("--shard", "0/1").lease_name == "reconciler-default"


@pytest.mark.parametrize("value", ["5/5", "1", "0/0", "a/b", "1/5/7"])
def test_a_shard_is_one_of_so_many(value: str) -> None:
    """Contract 9: counted from 0, as the completion index of a Job."""
    assert refusal("--shard", value).startswith("--shard must be a shard as in 2/5, counted from 0")


def test_steps_of_all_workflows_are_bounded_only_when_that_is_asked_for() -> None:
    """Zero, as the chart's value has it, is no bound."""
    assert settings().max_active_steps is None
    assert settings("--max-active-steps", "0").max_active_steps is None
    assert settings("--max-active-steps", "40").max_active_steps == 40


def test_a_run_can_go_without_the_lease() -> None:
    """Contract 1: safety never rests on it."""
    assert settings("--no-lease").lease_name is None


def test_what_a_source_may_delete_take_over_and_repeat_is_said_by_flags() -> None:
    """Contract 9: --first-run run|record --adopt --prune / --no-prune."""
    plain = settings("--source-url", "https://git.example/a.git")
    assert (plain.first_run, plain.adopt, plain.prune) == ("run", False, False)
    told = settings(
        "--source-url", "https://git.example/a.git", "--first-run", "record", "--adopt", "--prune"
    )
    assert (told.first_run, told.adopt, told.prune) == ("record", True, True)
    on = {"RECONCILER_PRUNE": "true", "RECONCILER_SOURCE_URL": "https://git.example/a.git"}
    assert settings(environment=on).prune
    assert not settings("--no-prune", environment=on).prune


def test_a_dry_run_takes_no_lease_and_pushes_nothing() -> None:
    """Contract 9."""
    told = settings("--dry-run", "--lease-name", "mine", "--pushgateway-url", "http://gateway:9091")
    assert (told.dry_run, told.lease_name, told.pushgateway_url) == (True, None, None)


# --- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(
            ("--deadline", "5 minutes"),
            "--deadline must be a duration, as in 50s, 1m30s or 500ms, not '5 minutes'",
            id="not-a-duration",
        ),
        pytest.param(
            ("--deadline", "0s"),
            "--deadline must be between 1s and 86400s, not '0s'",
            id="a-deadline-that-has-passed",
        ),
        pytest.param(
            ("--interval", "100ms"),
            "--interval must be 0 or between 1s and 3600s, not '100ms'",
            id="an-interval-that-would-storm-the-server",
        ),
        pytest.param(
            ("--max-concurrent-steps", "0"),
            "--max-concurrent-steps must be a whole number from 1 to 100, not '0'",
            id="no-slots",
        ),
        pytest.param(
            ("-n", "Shop"),
            "--namespace must be a name of at most 63 lower-case letters, digits and '-', "
            "not 'Shop'",
            id="not-a-namespace",
        ),
        pytest.param(
            ("--lease-name", "a/b"),
            "--lease-name must be a name of at most 253 lower-case letters, digits, '-' and '.', "
            "not 'a/b'",
            id="not-an-object-name",
        ),
        pytest.param(
            ("--log-format", "xml"),
            "--log-format must be text or json, not 'xml'",
            id="not-one-of-the-words",
        ),
        pytest.param(
            ("--selector", "team in {shop}"),
            "--selector must be a label selector, as in team=shop,tier!=test, not 'team in {shop}'",
            id="not-a-selector",
        ),
        pytest.param(
            ("--kubeconfig", "/no/such/file"),
            "--kubeconfig must be a file that can be read: '/no/such/file': "
            "No such file or directory",
            id="a-file-that-is-not-there",
        ),
        pytest.param(
            (*SOURCE, "--source-path", "../up"),
            "--source-path must be a path inside the repository, as in workflows/prod, "
            "without '..'",
            id="a-path-out-of-the-repository",
        ),
        pytest.param(
            (*SOURCE, "--source-ref=--upload-pack=x"),
            "--source-ref must be a branch, a tag or a full commit id",
            id="a-ref-that-git-would-take-for-an-option",
        ),
        pytest.param(
            ("--source-name", "none"),
            "--source-name must be another name than 'none', "
            "which stands for a run without a source",
            id="the-name-for-no-source",
        ),
        pytest.param(
            ("--source-url", "git@git.example.com:shop.git"),
            "--source-url must be a URL that begins with https://, ssh://, file:// or http://",
            id="scp-like",
        ),
        pytest.param(
            ("--source-url", "http://git.example.com/shop.git"),
            "--source-url must be a URL that begins with https://: "
            "http:// goes to this machine only",
            id="plain-http-to-somewhere",
        ),
        pytest.param(
            ("--pushgateway-url", "pushgateway:9091"),
            "--pushgateway-url must be a URL that begins with http:// or https://",
            id="no-scheme",
        ),
        pytest.param(("--deadline",), "argument --deadline: expected one argument", id="no-value"),
        pytest.param(
            ("--sorce-url", "x"),
            "unknown flag --sorce-url; did you mean --source-url?",
            id="a-typo",
        ),
        pytest.param(("now",), "reconciler run takes flags only", id="a-word"),
    ],
)
def test_a_wrong_value_is_told_with_the_flag_and_what_is_allowed(
    argv: tuple[str, ...], message: str
) -> None:
    """Contract 7 and 9: wrong usage, exit 2."""
    assert refusal(*argv).startswith(message)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(
            ("-n", "a", "-A"),
            "--namespace and --all-namespaces exclude each other",
            id="one-or-all",
        ),
        pytest.param(
            ("--lease-name", "a", "--no-lease"),
            "--lease-name and --no-lease exclude each other",
            id="a-lease-or-none",
        ),
        pytest.param(
            ("--source-path", "a"), "--source-path needs --source-url", id="a-path-of-no-source"
        ),
        pytest.param(
            ("--source-moved",), "--source-moved needs --source-url", id="no-source-can-move"
        ),
        pytest.param(
            (*SSH, "--git-token-file", "FILE"),
            "--git-token-file needs a --source-url that begins with https:// or http://",
            id="a-token-for-ssh",
        ),
        pytest.param(
            (*SSH, "--git-ssh-key", "FILE"),
            "--git-ssh-key and --git-known-hosts belong together",
            id="a-key-for-any-host",
        ),
        pytest.param(
            (*SOURCE, "--git-username-file", "FILE"),
            "--git-username-file needs --git-token-file",
            id="a-user-without-a-token",
        ),
        pytest.param(
            (*SOURCE, "--verify", "commit"),
            "--verify commit needs --allowed-signers (ssh) or --gpg-keyring (gpg)",
            id="signatures-of-nobody",
        ),
        pytest.param(
            (*SOURCE, "--gpg-keyring", "FILE"),
            "--allowed-signers and --gpg-keyring need --verify commit",
            id="signers-whom-nobody-asks-for",
        ),
        pytest.param(
            ("--verify", "commit"), "--verify commit needs --source-url", id="signatures-of-nothing"
        ),
    ],
)
def test_flags_that_do_not_fit_together_are_refused(
    tmp_path: Path, argv: tuple[str, ...], message: str
) -> None:
    """Contract 9: what would be ignored is refused."""
    file = tmp_path / "file"
    file.touch()
    assert refusal(*(str(file) if word == "FILE" else word for word in argv)).startswith(message)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        pytest.param("524288", 512 << 10, id="bytes"),
        pytest.param("512Ki", 512 << 10, id="as-kubernetes-writes-them"),
        pytest.param("2Mi", 2 << 20, id="mebibytes"),
    ],
)
def test_limits_of_a_source_are_sizes(value: str, size: int) -> None:
    """Contract 5: limits can be raised by flags."""
    told = settings(*SOURCE, "--source-max-file-size", value, "--source-max-files", "5000")
    assert (told.source_max_file_size, told.source_max_files) == (size, 5_000)


@pytest.mark.parametrize("value", ["512K", "1.5Mi", "0", "-1", "17Mi", ""])
def test_a_limit_that_is_no_size_or_too_large_is_refused(value: str) -> None:
    """Contract 9: what is allowed is said."""
    told = refusal(*SOURCE, f"--source-max-file-size={value}")
    assert told.startswith("--source-max-file-size must be a size as in 512Ki, 8Mi or 1Gi")


def test_a_run_may_be_told_which_cluster_it_is_in() -> None:
    """Contract 9: of a source; without one nothing would ask."""
    assert settings(*SOURCE, "--cluster", "eu-1").cluster == "eu-1"
    assert refusal("--cluster", "eu-1").startswith("--cluster needs --source-url")
    assert refusal(*SOURCE, "--cluster", "EU_1").startswith("--cluster must be a name of at most")


def test_who_may_sign_is_read_from_files(tmp_path: Path) -> None:
    """Contract 9: one kind of signature, or both."""
    file = tmp_path / "file"
    file.touch()
    told = settings(
        *("--source-url", "file:///shop.git", "--verify", "commit"),
        *("--allowed-signers", str(file), "--gpg-keyring", str(file)),
    )
    assert (told.allowed_signers, told.gpg_keyring) == (file, file)


def test_what_is_off_anyway_may_be_said() -> None:
    """Contract 9: a chart that states every flag works with this version."""
    assert settings("--verify", "off", "--first-run", "run", "--no-prune") == settings()


# --- secrets --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(("--source-url", "https://u:hunter2@h/x"), id="in-the-url-of-the-source"),
        pytest.param(("--source-url", "hunter2@h:x"), id="in-an-url-that-is-none"),
        pytest.param(("--source-url", "https://h:hunter2/x"), id="in-the-place-of-the-port"),
        pytest.param(("--pushgateway-url", "ftp://u:hunter2@h"), id="in-the-url-of-the-gateway"),
        pytest.param(("--git-token=hunter2",), id="as-the-value-of-a-flag-that-is-none"),
        pytest.param(("--git-token", "hunter2"), id="behind-a-flag-that-is-none"),
    ],
)
def test_a_refusal_never_repeats_what_may_be_a_secret(argv: tuple[str, ...]) -> None:
    """Invariant I9."""
    assert "hunter2" not in refusal(*argv)


# --- help -----------------------------------------------------------------------------------


def test_the_help_names_every_flag_and_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    """Contract 9: but those that this version refuses."""
    with pytest.raises(SystemExit) as left:
        parse(["--help"], {})
    told = capsys.readouterr().out
    assert left.value.code == 0
    for flag in (flag for group in RUN.groups for flag in group.flags):
        assert flag.option in told
        assert flag.variable in told.replace("\n", "").replace(" ", "")
