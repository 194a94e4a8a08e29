"""The flags of `run` and `check` (contract 9), as a table: name, help, reader, default.

How a flag is read stands in `commandline.py`, what flags mean together in `settings.py`.
"""

import re

from reconciler import commandline as read
from reconciler.commandline import Command, Flag, Group, Kind
from reconciler.core.shards import Shard

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NO_SOURCE = "none"  # the word for it in the grouping key of the gauges


# --- readers of a few flags -----------------------------------------------------------------


def _source_url(value: str) -> str:
    parts = read.url(value, ("https", "ssh", "file", "http"))
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("a URL that begins with https://: http:// goes to this machine only")
    if parts.query or parts.fragment:
        raise ValueError("a URL without '?' and '#'")
    if parts.scheme != "ssh" and (parts.username or parts.password):
        raise ValueError(
            "a URL without user and password: use --git-username-file and --git-token-file"
        )
    return value


def _ref(value: str) -> str:
    """A first look; git's own rules are checked where git is asked."""
    if value.startswith("-") or not read.text(value).isprintable() or " " in value:
        raise ValueError("a branch, a tag or a full commit id")
    return value


def _source_name(value: str) -> str:
    if read.label(value) == _NO_SOURCE:
        raise ValueError(
            f"another name than {_NO_SOURCE!r}, which stands for a run without a source"
        )
    return value


def _selector(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_./!=(),\- ]+", value):
        raise ValueError(f"a label selector, as in team=shop,tier!=test, not {value!r}")
    return value


def _shard(value: str) -> Shard:
    found = re.fullmatch(r"(\d{1,3})/(\d{1,3})", value)
    if not found or not int(found[1]) < int(found[2]):
        raise ValueError(f"a shard as in 2/5, counted from 0: 0/5 to 4/5, not {value!r}")
    return Shard(int(found[1]), int(found[2]))


def _pushgateway_url(value: str) -> str:
    parts = read.url(value, ("http", "https"))
    if parts.query or parts.fragment:
        raise ValueError("a URL without '?' and '#', as in http://pushgateway:9091")
    return value


# --- the table ------------------------------------------------------------------------------

_SOURCE = Group(
    "source: the git repository that workflows come from",
    (
        Flag(
            "source-url",
            "repository to read: https://, ssh:// or file://; none: no source is read",
            _source_url,
            metavar="URL",
        ),
        Flag("source-ref", "branch, tag or full commit id", _ref, default="main", metavar="REF"),
        Flag(
            "source-path",
            "folder to read, may be repeated",
            read.inside,
            default=(),
            metavar="DIR",
            kind=Kind.LIST,
            shown="the whole repository",
        ),
        Flag(
            "source-max-files",
            "most YAML files under the paths",
            read.whole(1, 100_000),
            default=1_000,
            metavar="N",
        ),
        Flag(
            "source-max-file-size",
            "largest YAML file; what is larger is not read and told",
            read.size(1 << 10, 16 << 20),
            default=256 << 10,
            metavar="SIZE",
            shown="256Ki",
        ),
        Flag(
            "source-max-size",
            "most that all YAML files under the paths have together",
            read.size(1 << 10, 1 << 30),
            default=8 << 20,
            metavar="SIZE",
            shown="8Mi",
        ),
        Flag(
            "source-max-fetch",
            "most that one commit of the repository has, packed",
            read.size(1 << 20, 16 << 30),
            default=256 << 20,
            metavar="SIZE",
            shown="256Mi",
        ),
        Flag(
            "source-name",
            "name of the source: several sources in one cluster need several names",
            _source_name,
            default="default",
            metavar="NAME",
        ),
        Flag(
            "source-moved",
            "accept that URL or paths are others than in the run before",
            kind=Kind.SWITCH,
            default=False,
        ),
        Flag(
            "first-run",
            "documents of a source that is new to the cluster: run, or record them as having run",
            read.one_of("run", "record"),
            default="run",
            metavar="WORD",
        ),
        Flag(
            "cluster",
            "name of this cluster, for documents that say which clusters they are for",
            read.subdomain,
            metavar="NAME",
            default="",
            shown="none: such documents are refused",
        ),
        Flag(
            "adopt",
            "take over workflows of a document's name that are not of this source",
            kind=Kind.SWITCH,
            default=False,
        ),
        Flag(
            "prune",
            "delete settled runs whose document left the repository; --dry-run shows which",
            kind=Kind.SWITCH,
            default=False,
        ),
        Flag("no-prune", "delete none of them", kind=Kind.SWITCH, default=False),
    ),
)

_GIT = Group(
    "credentials and signatures of the source, each in a file",
    (
        Flag("git-ssh-key", "private key, for ssh://", read.readable, metavar="FILE"),
        Flag("git-known-hosts", "known hosts, for ssh://", read.readable, metavar="FILE"),
        Flag("git-username-file", "user name, for https://", read.readable, metavar="FILE"),
        Flag("git-token-file", "token or password, for https://", read.readable, metavar="FILE"),
        Flag("git-ca-file", "CA certificates, for https://", read.readable, metavar="FILE"),
        Flag(
            "verify",
            "commit: the commit that is read must be signed, or nothing new is applied",
            read.one_of("off", "commit"),
            default="off",
            metavar="off|commit",
        ),
        Flag(
            "allowed-signers",
            "who may sign with ssh, as ssh-keygen reads it: a name and a public key a line",
            read.readable,
            metavar="FILE",
        ),
        Flag(
            "gpg-keyring",
            "public keys of those who may sign with gpg, as gpg --export writes them",
            read.readable,
            metavar="FILE",
        ),
    ),
)

_CLUSTER = Group(
    "cluster",
    (
        Flag(
            "kubeconfig",
            "kubeconfig to use",
            read.readable,
            metavar="FILE",
            shown="the service account in a pod, else KUBECONFIG, else ~/.kube/config",
        ),
        Flag(
            "context", "context of the kubeconfig", read.text, metavar="NAME", shown="the current"
        ),
        Flag(
            "namespace",
            "the one namespace of the run",
            read.label,
            metavar="NS",
            short="-n",
            shown="the pod's, else the context's, else default",
        ),
        Flag("all-namespaces", "all namespaces", kind=Kind.SWITCH, default=False, short="-A"),
        Flag(
            "state-namespace",
            "where the Lease, the head of the source and the pause live",
            read.label,
            metavar="NS",
            shown="the pod's, else --namespace",
        ),
        Flag(
            "selector",
            "look at workflows with these labels only",
            _selector,
            default="",
            metavar="LABELS",
        ),
        Flag(
            "request-timeout",
            "longest wait for one answer",
            read.seconds(0.1, 600),
            default=30.0,
            metavar="TIME",
            shown="30s",
        ),
    ),
)

_RUN = Group(
    "run",
    (
        Flag(
            "max-concurrent-steps",
            "most steps of one workflow at once, 1 to 100; a workflow may ask for less",
            read.whole(1, 100),
            default=5,
            metavar="N",
        ),
        Flag(
            "max-active-steps",
            "most steps of all workflows together that a run starts beside those at work",
            read.whole(0, 100_000),
            default=0,
            metavar="N",
            shown="0: as many as each workflow may have",
        ),
        Flag(
            "shard",
            "look at one part of the workflows, as in 2/5: the third of five runs, counted from 0;"
            " the first reads the source",
            _shard,
            default=Shard(),
            metavar="I/N",
            shown="0/1: all of them",
        ),
        Flag(
            "deadline",
            "when the run stops; what is left is the next run's",
            read.seconds(1, 86_400),
            default=50.0,
            metavar="TIME",
            shown="50s",
        ),
        Flag(
            "interval",
            "look again after this time, until the deadline; 0s: look once",
            read.seconds(1, 3_600, zero=True),
            default=0.0,
            metavar="TIME",
            shown="0s",
        ),
        Flag(
            "lease-name",
            "Lease that keeps a second run from doing the same work",
            read.subdomain,
            metavar="NAME",
            shown="reconciler-<source-name>",
        ),
        Flag("no-lease", "take no Lease", kind=Kind.SWITCH, default=False),
        Flag(
            "strict",
            "exit 1 when a document was refused or a workflow failed",
            kind=Kind.SWITCH,
            default=False,
        ),
        Flag(
            "dry-run",
            "read and decide, write nothing",
            kind=Kind.SWITCH,
            default=False,
        ),
    ),
)

_TELL = Group(
    "what it tells",
    (
        Flag("pushgateway-url", "Pushgateway to push gauges to", _pushgateway_url, metavar="URL"),
        Flag(
            "pushgateway-job",
            "job of the pushed gauges",
            read.text,
            default="reconciler",
            metavar="NAME",
        ),
        Flag(
            "log-format",
            "text or json; logs go to stderr",
            read.one_of("text", "json"),
            default="text",
            metavar="FORMAT",
        ),
        Flag("verbose", "tell more", kind=Kind.COUNT, default=0, short="-v"),
    ),
)

RUN = Command(
    prog="reconciler run",
    description=(
        "Read workflows from git, apply them, and start what is ready: one run, and nothing is\n"
        "kept in memory or on disk for the next one."
    ),
    groups=(_SOURCE, _GIT, _CLUSTER, _RUN, _TELL),
    alternatives=(
        ("namespace", "all_namespaces"),
        ("lease_name", "no_lease"),
        ("prune", "no_prune"),
    ),
    epilog=(
        "exit codes:\n"
        "  0   the run did its work; failed workflows are told in status, Events, logs and gauges\n"
        "  1   with --strict: something was reported\n"
        "  2   wrong usage or configuration\n"
        "  3   the source could not be read; what runs already was reconciled all the same\n"
        "  4   the cluster could not be reached, or refused a list\n"
        "  70  a bug in the reconciler\n\n"
        "example:\n"
        "  reconciler run --source-url https://git.example.com/shop/workflows.git \\\n"
        "    --source-path production --pushgateway-url http://pushgateway:9091"
    ),
)

_CHECK = Group(
    "what is checked, and how it is told",
    (
        Flag(
            "pre",
            "only what must hold before the chart is installed, and whether you may install it",
            kind=Kind.SWITCH,
            default=False,
        ),
        Flag(
            "output",
            "json: for machines, or to send to somebody",
            read.one_of("json"),
            metavar="json",
            short="-o",
            shown="a table",
        ),
    ),
)

CHECK = Command(
    prog="reconciler check",
    description=(
        "Look whether a run with these flags can do its work. It takes the flags of `reconciler\n"
        "run`, connects to what that run would connect to, and writes nothing. Each line is ok, a\n"
        "warning, failed or skipped; what is not good says what to do."
    ),
    groups=(_CHECK, *RUN.groups),
    alternatives=RUN.alternatives,
    epilog=(
        "what is looked at:\n"
        "  api-server    it answers, and is Kubernetes 1.31 or newer\n"
        "  namespaces    they are there; skipped where the account may not read them\n"
        "  install/*     with --pre: you may install the chart, and grant what a run needs\n"
        "  crd/*         the kinds are served, with the schema that this release ships\n"
        "  rights/*      each verb that the run needs; nothing is tried, the server is asked\n"
        "  pause, lease, head    whether runs are paused, who runs now, which commit is in work\n"
        "  programs, git, signers, signature, files\n"
        "                the ref, read as the run reads it: credentials, host key, CA, signature\n"
        "  pushgateway   it is ready; nothing is pushed\n\n"
        "-o json: {apiVersion, kind, ok, version, checks: [{name, status, found, advice}]}\n"
        "The fields and the names stay as they are; the table does not.\n\n"
        "exit codes:\n"
        "  0   a run can do its work; warnings are for you to look at\n"
        "  1   something failed; its line says what to do\n"
        "  2   wrong usage or configuration\n\n"
        "examples:\n"
        "  reconciler check --pre -n shop --source-url https://git.example.com/shop/workflows.git\n"
        "  reconciler check -o json    # holds no secret: made to be sent to who helps"
    ),
)
