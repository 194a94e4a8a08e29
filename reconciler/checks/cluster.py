"""The checks that ask the cluster: version, CRDs, rights, and the state of the run (contract 2, 9).

Each is a function of the ground and returns what it found; what it raises is told by who calls.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.checks import schemas
from reconciler.checks.ground import Ground
from reconciler.checks.result import Found, failed, ok, skipped, warning
from reconciler.core.api import rfc3339
from reconciler.core.names import PAUSE
from reconciler.core.rights import Right, granting, rights
from reconciler.core.source import Head, SourceSettings, head_name, read_head
from reconciler.errors import Refused

OLDEST = (1, 31)  # selectable fields of custom resources
INSTALL = "reconciler crds | kubectl apply --server-side -f -"

_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_ACTIVE = "Active"
_SHOWN = 3  # fields of a schema that are named


def api_server(ground: Ground) -> Found:
    version = ground.server.version()
    told = f"Kubernetes {version} at {ground.server.address}"
    match = _VERSION.match(version)
    if match is None:
        return warning(
            f"{ground.server.address} says its version is {version[:32]!r}",
            f"see that it is Kubernetes {_text(OLDEST)} or newer",
        )
    if (int(match[1]), int(match[2])) < OLDEST:
        return failed(
            f"{told} is older than {_text(OLDEST)}",
            f"upgrade the cluster: fields can be selected from {_text(OLDEST)} on",
        )
    return ok(told)


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def namespaces(ground: Ground) -> Found:
    """Where the run works and where its state is; many an account may not read that."""
    told = ground.settings
    names = dict.fromkeys(name for name in (told.namespace, told.state_namespace) if name)
    asked = [Right("", "namespaces", "get", None, name) for name in names]
    if any(ground.server.refusal(right) is not None for right in asked):
        return skipped("this account may not read namespaces")
    phases = {name: ground.server.namespace(name) for name in names}
    for name, phase in phases.items():
        if not phase:
            return failed(
                f"there is no namespace {name}",
                f"look at --namespace and --state-namespace, or: kubectl create namespace {name}",
            )
        if phase != _ACTIVE:
            return failed(
                f"the namespace {name} is {phase}", "wait until it is gone, then create it again"
            )
    return ok(f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} there")


# --- CRDs -----------------------------------------------------------------------------------


def crd(ours: Mapping[str, Any], ground: Ground) -> Found:
    """Whether a kind is served, and as this release ships it; `ours` is the whole CRD."""
    names, version = ours["spec"]["names"], ours["spec"]["versions"][0]["name"]
    api_version = f"{ours['spec']['group']}/{version}"
    served = ground.server.resources(api_version)
    if names["plural"] not in served:
        return failed(f"{api_version} {names['kind']} is not served", INSTALL)
    if f"{names['plural']}/status" not in served:
        return failed(f"{names['kind']} is served without its status subresource", INSTALL)
    return _as_shipped(ground, schemas.of_crd(ours), api_version, names["kind"])


def _as_shipped(ground: Ground, ours: schemas.Schema, api_version: str, kind: str) -> Found:
    told = f"served at {api_version.rpartition('/')[2]}"
    try:
        published = ground.server.schema(api_version, kind)
    except Refused as error:
        return warning(f"{told}, its schema could not be read: {error}", INSTALL)
    if published is None:
        return warning(f"{told}, its schema is not published (yet)", "try again in some seconds")
    served = schemas.of_server(published)
    told = f"{told}, schema {schemas.digest(served)}"
    difference = schemas.compare(ours, served)
    shipped = f"this release ships {schemas.digest(ours)}"
    if difference.lacking:
        return failed(f"{told}; {shipped}, which differs at {_few(difference.lacking)}", INSTALL)
    if difference.beyond:
        return warning(
            f"{told}; {shipped}, which does not have {_few(difference.beyond)}",
            "a later release installed the CRD: run that one, or install this one's: " + INSTALL,
        )
    return ok(f"{told}, as this release ships it")


def _few(paths: Sequence[str]) -> str:
    left = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {left} more" if left > 0 else "")


# --- rights ---------------------------------------------------------------------------------


def by_resource(needed: Sequence[Right]) -> Mapping[str, Sequence[Right]]:
    """In the order of their first right."""
    sorted_: defaultdict[str, list[Right]] = defaultdict(list)
    for right in needed:
        sorted_[right.what].append(right)
    return sorted_


def may(needed: Sequence[Right], ground: Ground) -> Found:
    """Each right asked by itself; together they are the line of one resource."""
    refused = {right: why for right in needed if (why := ground.server.refusal(right)) is not None}
    if not refused:
        return ok(f"may {_verbs(needed)}")
    why = next((f" ({said})" for said in refused.values() if said), "")
    return failed(f"may not {_verbs(list(refused))}{why}", f"a role must grant {_rule(refused)}")


def _verbs(needed: Sequence[Right]) -> str:
    """`get, update one in shop; create in shop`."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for right in needed:
        where = f"in {right.namespace}" if right.namespace else "in all namespaces"
        if right.cluster_wide:
            where = ""
        places[" ".join(filter(None, (right.name, where)))].append(right.verb)
    return "; ".join(f"{', '.join(verbs)} {where}".strip() for where, verbs in places.items())


def _rule(needed: Mapping[Right, str]) -> str:
    """As a rule of a role has it."""
    verbs = ", ".join(f'"{verb}"' for verb in dict.fromkeys(right.verb for right in needed))
    one = next(iter(needed))
    return f'{verbs} on "{one.what}" of the API group "{one.group}"'


def may_grant(ground: Ground) -> Found:
    """Nobody may grant what he may not do himself, but for who may escalate and bind."""
    refused = [each for each in granting(ground.settings) if ground.server.refusal(each) is None]
    if len(refused) == len(granting(ground.settings)):
        return ok("may grant any right (escalate and bind)")
    lacking = [each for each in rights(ground.settings) if ground.server.refusal(each) is not None]
    if not lacking:
        return ok("may grant what a run needs, and has all of it")
    shown = [f"{each.verb} {each.what}" for each in lacking]
    return failed(
        f"may not grant what a run needs: lacks {_few(shown)} itself",
        "let somebody install the chart who has these rights, or may escalate and bind roles",
    )


# --- the state of the run -------------------------------------------------------------------


def pause(ground: Ground) -> Found:
    found = ground.cluster.config_map(PAUSE)
    if found is None:
        return ok("not paused")
    why = found.data.get("why", "no reason is given")
    return warning(
        f"paused, nothing new starts: {why}",
        f"to go on: kubectl delete configmap {PAUSE} -n {ground.settings.state_namespace}",
    )


def lease(ground: Ground) -> Found:
    """Who holds it is nothing to be done about: runs that work hold it."""
    name = ground.settings.lease_name
    if name is None:
        return skipped("no Lease is taken")
    read = ground.cluster.lease(name)
    holder = read.held_by(ground.clock.now())
    where = f"{name} in {ground.settings.state_namespace}"
    if not holder or read.lease is None or read.lease.renewed is None:
        return ok(f"{where} is free")
    until = rfc3339(read.lease.renewed + read.lease.duration)
    return ok(f"{where} is held by {holder} until {until}")


def head(ground: Ground) -> Found:
    """What the runs before say of the source."""
    told = ground.settings
    if told.source_url is None:
        return skipped("no --source-url")
    name = head_name(told.source_name)
    stored = ground.cluster.config_map(name)
    if stored is None:
        return ok(f"{name} is not there: new to this cluster, its documents {_first(ground)}")
    try:
        found = read_head(name, stored.data, stored.uid, stored.version)
    except ValueError as error:
        return failed(
            f"{name} is not what the reconciler wrote: {error}",
            "restore it, or delete it: what has run stands in the WorkflowRecords and does not "
            "run again",
        )
    return _whose(ground, found)


def _whose(ground: Ground, found: Head) -> Found:
    """A head of another URL or other paths stops the run."""
    told = ground.settings
    ours = SourceSettings(name=told.source_name, url=told.source_url or "", paths=told.source_paths)
    checked = f", checked {rfc3339(found.checked)}" if found.checked else ""
    state = f"{found.commit[:10] or 'no commit'} is {found.state}{checked}"
    if found.of(ours):
        return ok(state)
    if told.source_moved:
        return ok(f"{state}, of {_place(found)}; the move is accepted")
    return failed(
        f"{found.name} names {_place(found)}, which is not what --source-url and --source-path say",
        "give another source another --source-name, or accept the move once with --source-moved",
    )


def _first(ground: Ground) -> str:
    run = ground.settings.first_run == "run"
    return "are run by the first run" if run else "are recorded by the first run, not run"


def _place(found: Head) -> str:
    return f"{found.url} ({', '.join(found.paths) or 'the whole repository'})"
