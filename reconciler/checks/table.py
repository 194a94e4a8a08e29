"""Every check of `reconciler check`, in the order of its lines (contract 9).

`before` marks what must hold before the chart is installed, which is all that `--pre` asks. What
can only fail because another check failed names that one, and is skipped then.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from reconciler.checks import cluster, source
from reconciler.checks.gateway import pushgateway
from reconciler.checks.ground import Ground
from reconciler.checks.result import Found
from reconciler.core.rights import installing, rights
from reconciler.crds import crds
from reconciler.settings import Settings

_KUBECONFIG = "look at --kubeconfig and --context: kubectl get --raw /version must answer"
_ROLE = "look at the role of this account; the chart's grants what a run needs"
_GIT = "correct --source-url, --source-ref or the file that it names, and check again"
_SIGNERS = "give a file that can be read"


class Side(Enum):
    """Whom a check asks. One that does not answer takes no time from the others."""

    CLUSTER = auto()
    SOURCE = auto()
    GATEWAY = auto()


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what is asked, and what to do where it fails by raising."""

    name: str
    ask: Callable[[Ground], Found]
    side: Side
    advice: str
    needs: tuple[str, ...] = ()
    before: bool = False
    after: bool = True


def checks(told: Settings, *, pre: bool) -> Sequence[Check]:
    """Those of a run with these settings, or of what must hold before it is installed."""
    every = (*_of_the_cluster(told), *_of_the_source(), *_of_the_gateway())
    return [check for check in every if (check.before if pre else check.after)]


def _of_the_cluster(told: Settings) -> Sequence[Check]:
    server = ("api-server",)
    asked = partial(Check, side=Side.CLUSTER, advice=_ROLE, needs=server)
    return (
        Check("api-server", cluster.api_server, Side.CLUSTER, _KUBECONFIG, before=True),
        *(
            asked(f"install/{what}", partial(cluster.may, needed), before=True, after=False)
            for what, needed in cluster.by_resource(installing(told)).items()
        ),
        asked("install/grant", cluster.may_grant, before=True, after=False),
        asked("namespaces", cluster.namespaces),
        *(
            asked(f"crd/{crd['spec']['names']['plural']}", partial(cluster.crd, crd))
            for crd in crds()
        ),
        *(
            asked(f"rights/{what}", partial(cluster.may, needed))
            for what, needed in cluster.by_resource(rights(told)).items()
        ),
        asked("pause", cluster.pause),
        asked("lease", cluster.lease),
        asked("head", cluster.head),
    )


def _of_the_source() -> Sequence[Check]:
    asked = partial(Check, side=Side.SOURCE, advice=_GIT, before=True)
    return (
        asked("programs", source.programs),
        asked("git", source.git, needs=("programs",)),
        asked("signers", source.signers, advice=_SIGNERS),
        asked("signature", source.signature, needs=("git", "signers")),
        asked("files", source.files, needs=("git", "signature")),
    )


def _of_the_gateway() -> Sequence[Check]:
    advice = "look at --pushgateway-url"
    return (Check("pushgateway", pushgateway, Side.GATEWAY, advice, before=True),)
