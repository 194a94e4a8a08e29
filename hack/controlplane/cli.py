"""The command line of hack/cluster. Data goes to stdout, everything else to stderr."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from hack.controlplane import keeper, session
from hack.controlplane.binaries import Binaries, binaries
from hack.controlplane.modules import KUBERNETES, KWOK
from hack.controlplane.places import lasting
from hack.controlplane.progress import say
from hack.controlplane.trouble import Trouble

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
    except Trouble as trouble:
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
    add("status", _status, "tell what runs, and where it is")
    add("kubeconfig", _kubeconfig, "print the path of the running control plane's kubeconfig")
    _add_run(add("run", _run, "run a command with a fresh control plane of its own", _RUN))
    add("build", _build, "build what is missing, start nothing")
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


def _status(_: argparse.Namespace) -> int:
    running = session.current()
    if running is None:
        say("Nothing is running; hack/cluster up starts it")
        return 1
    print(f"server      {running.state['server']}")
    print(f"kubeconfig  {running.kubeconfig}")
    print(f"audit log   {running.state['auditLog']}")
    print(f"logs        {lasting() / 'logs'}")
    for name, pid in running.state["pids"].items():
        print(f"  {name:<24}  pid {pid}")
    return 0


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


def _build(_: argparse.Namespace) -> int:
    found = binaries()
    for folder in (found.kubernetes, found.kwok):
        print(folder)
    return 0


def _keep(parsed: argparse.Namespace) -> int:
    programs = Binaries(parsed.kubernetes, parsed.kwok)
    return keeper.keep(parsed.directory, programs, until_stdin_closes=parsed.until_stdin_closes)
