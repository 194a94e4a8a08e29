"""The command line of hack/cluster. Data goes to stdout, everything else to stderr."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hack.controlplane import executor, keeper, session, tools
from hack.controlplane.binaries import Binaries, located
from hack.controlplane.modules import HELM, HELM3, KUBERNETES, KWOK, Module
from hack.controlplane.progress import say
from hack.controlplane.trouble import Trouble

_BUILT = (KUBERNETES, KWOK)
_HELMS = {module.name: module for module in (HELM, HELM3)}

_ABOUT = f"""\
Real Kubernetes {KUBERNETES.version} on this machine, without Docker: etcd, kube-apiserver,
controllers, scheduler, and KWOK {KWOK.version}, which plays two nodes. Deployments roll out,
drains evict, CronJobs make Jobs; no container runs. Everything listens on loopback alone.

The programs are built from pinned sources into the user's cache when the machine has none of
exactly these versions (KUBEBUILDER_ASSETS, PATH): 5 to 10 minutes on two cores, once.
"""


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0, 1 with a message, or that of the command of `run`."""
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    try:
        return command(parsed)
    except (Trouble, OSError) as trouble:  # OSError: a full disk, a folder of somebody else's
        say(f"hack/cluster: {trouble}")
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hack/cluster",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], int], short: str, long: str = ""
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=short,
            description=f"{short[0].upper()}{short[1:]}.\n{long}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(command=command)
        return sub

    add(
        "up",
        _up,
        "start the control plane that stays, or find it running",
        "\nThe last line on stdout is the path of its kubeconfig:"
        '\n\n  export KUBECONFIG="$(hack/cluster up)"\n  kubectl get nodes\n',
    )
    add("down", _down, "end the control plane that stays, and delete all that it kept")
    status = add("status", _status, "tell what runs, and where it is")
    status.add_argument("-v", "--verbose", action="store_true", help="also versions, and the tools")
    add("kubeconfig", _kubeconfig, "print the path of the running control plane's kubeconfig")
    _add_run(add("run", _run, "run a command with a fresh control plane of its own", _RUN))
    add("restart-apiserver", _restart, "kill kube-apiserver and start it again", _RESTART)
    build = add("build", _build, "build what is missing, start nothing", _BUILD)
    build.add_argument("modules", nargs="*", type=_helm, metavar="helm|helm3")
    _add_executor(add("executor", _executor, "let KWOK play the executor of the demo", _EXECUTOR))
    _add_tool(add("tool", _tool, "print the path of a tool, fetched or built if need be", _TOOL))
    _add_keep(commands.add_parser("keep"))  # no help: for session.py alone
    return parser


_RUN = """
Everything is gone afterwards, however the command, this program or its caller ends. The exit
code is the command's. In its environment:

  KUBECONFIG            an empty cluster with two Ready nodes, as cluster admin
  RECONCILER_AUDIT_LOG  every request as a line of JSON, complete once a call has returned
  PATH                  with kubectl at its end, for who has none

  hack/cluster run -- kubectl get nodes
  hack/cluster run -- bash
"""


_RESTART = """
That of the control plane whose KUBECONFIG is set, else of the one that stays: on the same port,
over the same etcd, ready when the command returns. Inside `run` a test meets a failing server:

  hack/cluster run -- sh -c 'hack/cluster restart-apiserver && kubectl get nodes'
"""

_BUILD = """
The control plane, or the Helms that are named, in exactly the pinned versions; the folders that
hold the programs stand on stdout.
"""

_EXECUTOR = """
Actions that KubernetesExecutions ask for begin after half a second and end 1.5 s later; how, their
parameters may say (hack/demo/stages.yaml). The cluster is KUBECONFIG's, else the one that `up`
started; the CRDs must be there.
"""

_TOOL = """
One on PATH comes first; kubectl, helm (4) and helm3 are built from pinned sources, pushgateway,
prometheus and promtool are unpacked from Debian's packages. All of it lands in the user's cache,
and needs no root.
"""


def _add_executor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kwok",
        action="store_true",
        help="run KWOK here, until Ctrl-C, for a cluster that has none (kind)",
    )


def _helm(name: str) -> Module:
    if name not in _HELMS:
        raise argparse.ArgumentTypeError(f"{' or '.join(_HELMS)}, not {name!r}")
    return _HELMS[name]


def _add_tool(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=sorted(tools.TOOLS), metavar="|".join(tools.TOOLS))


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.usage = "hack/cluster run -- CMD..."
    parser.add_argument("cmd", nargs=argparse.REMAINDER, metavar="CMD")


def _add_keep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path)
    parser.add_argument("kubernetes", type=Path)
    parser.add_argument("kwok", type=Path)
    parser.add_argument("--until-stdin-closes", action="store_true")
    parser.set_defaults(command=_keep)


def _up(_: argparse.Namespace) -> int:
    running = session.up()
    say(f"{running.state['server']} is up; end it with hack/cluster down")
    print(running.kubeconfig)
    return 0


def _down(_: argparse.Namespace) -> int:
    say("Ended" if session.down() else "Nothing was running")
    return 0


def _status(parsed: argparse.Namespace) -> int:
    running = session.current()
    if running is None:
        say("Nothing is running; hack/cluster up starts it")
        words = session.last_words()
        if words.exists() and words.stat().st_size:
            say(f"The last one ended by itself:\n{words.read_text().rstrip()}")
    else:
        rows = {
            "server": running.state["server"],
            "kubeconfig": running.kubeconfig,
            "audit log": running.state["auditLog"],
            "logs": running.directory / "logs",
        }
        rows |= {name: f"pid {pid}" for name, pid in running.state["pids"].items()}
        _table(rows)
    if parsed.verbose:
        print()
        _table({module.name: f"{module.version}  {_where(module)}" for module in _BUILT})
        _table({name: _version(name) for name in tools.TOOLS})
    return 0 if running else 1


def _where(module: Module) -> str:
    return str(module.home) if module.home.exists() else "not built"


def _version(name: str) -> str:
    program = tools.found(name)
    if program is None:
        return f"not here; hack/cluster tool {name} gets it"
    return f"{tools.version(name, program)}  {program}"


def _table(rows: Mapping[str, object]) -> None:
    for name, value in rows.items():
        print(f"{name:<24}  {value}")


def _kubeconfig(_: argparse.Namespace) -> int:
    running = session.current()
    if running is None:
        raise Trouble("Nothing is running", "Start it with: hack/cluster up")
    print(running.kubeconfig)
    return 0


def _run(parsed: argparse.Namespace) -> int:
    command = parsed.cmd[1:] if parsed.cmd[:1] == ["--"] else parsed.cmd
    if not command:
        raise Trouble("No command given", "For example: hack/cluster run -- kubectl get nodes")
    return session.run(command)


def _restart(_: argparse.Namespace) -> int:
    session.restart_apiserver()
    return 0


def _build(parsed: argparse.Namespace) -> int:
    for module in parsed.modules or _BUILT:
        print(located(module))
    return 0


def _executor(parsed: argparse.Namespace) -> int:
    (executor.play_here if parsed.kwok else executor.play)()
    return 0


def _tool(parsed: argparse.Namespace) -> int:
    print(tools.tool(parsed.name))
    return 0


def _keep(parsed: argparse.Namespace) -> int:
    programs = Binaries(parsed.kubernetes, parsed.kwok)
    return keeper.keep(parsed.directory, programs, until_stdin_closes=parsed.until_stdin_closes)
