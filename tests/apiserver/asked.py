"""What runs asked of the server, by its audit log, beside what a role grants."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SELF = "authorization.k8s.io"  # reviews of oneself: anybody who is known may ask for one


@dataclass(frozen=True, order=True)
class Grant:
    """One verb on one resource, of any name or of this one; `resource` holds a subresource too."""

    group: str
    resource: str
    verb: str
    name: str = ""

    def covers(self, asked: "Grant") -> bool:
        alike = (self.group, self.resource, self.verb) == (asked.group, asked.resource, asked.verb)
        return alike and self.name in {"", asked.name}


def granted(rules: Iterable[Mapping[str, Sequence[str]]]) -> set[Grant]:
    """What the rules of a role come to, one by one."""
    return {
        Grant(group, resource, verb, name)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    }


def asked(entries: Iterable[Mapping[str, Any]]) -> set[Grant]:
    """What was asked; of no interest is what everybody may ask."""
    return {grant for entry in entries for grant in _needed(entry)}


def denied(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """The requests that RBAC refused."""
    return [
        f"{entry['verb']} {entry['requestURI']}"
        for entry in entries
        if entry.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
        or (entry["responseStatus"]["code"] == 403 and "patch" in entry["verb"])
    ]


def missing(grants: set[Grant], asked_for: set[Grant]) -> list[Grant]:
    """What was asked and is not granted."""
    return sorted(each for each in asked_for if not any(grant.covers(each) for grant in grants))


def unused(grants: set[Grant], asked_for: set[Grant]) -> list[Grant]:
    """What is granted and was never asked."""
    return sorted(grant for grant in grants if not any(map(grant.covers, asked_for)))


def _needed(entry: Mapping[str, Any]) -> Iterator[Grant]:
    about = entry.get("objectRef")
    if not about or about.get("apiGroup") == _SELF:
        return
    resource = "/".join(about[key] for key in ("resource", "subresource") if key in about)
    group, name = about.get("apiGroup", ""), about.get("name", "")
    yield Grant(group, resource, entry["verb"], name)
    if entry["verb"] == "patch" and entry["responseStatus"]["code"] == 201:
        # An apply that makes an object: the server asked for both, and its log tells of one.
        yield Grant(group, resource, "create", name)
