"""Who acts beside the reconciler: an executor that misbehaves a little, and a person.

Both follow the dice of the soak, and both go on when the server is away.
"""

import contextlib
import http.client
import random
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.apiserver.objects import Body, Objects
from tests.apiserver.runs import Shop

AWAY = (OSError, http.client.HTTPException)  # the server is, for now
_NOT_AFTER = "kubernaut.ai/not-after"
_PAUSE = 0.2  # seconds between two rounds
_BOOK = "it did not work, and this is why. " * 900  # as much as the field holds
_SETTLED = 422  # its spec is immutable

# What happens to a child, or to a person's mind, in one round; by weight.
_BEGINS = {"begin": 7, "wait": 3}
_GOES_ON = {
    "complete": 60,
    "wait": 26,
    "fail": 6,
    "make no sense": 5,
    "end before it began": 2,
    "delete": 1,
}
_MINDS = {"nothing": 70, "resume": 15, "suspend": 10, "cancel": 5}


@dataclass
class Executor:
    """Begins, completes, fails; now and then deletes a child, or says what makes no sense."""

    shop: Shop
    dice: random.Random
    deleted: list[str] = field(default_factory=list)

    def round(self) -> None:
        for child in listed(self.shop.children):
            status = child.get("status", {})
            if status.get("phase") not in ("Completed", "Failed"):
                self._act(child, begun="executionStartTime" in status)

    def _act(self, child: Body, *, begun: bool) -> None:
        if not begun and _late(child):
            self._say(child, "Failed", reason="Late")
        elif not begun and child["spec"].get("cancelRequested"):
            self._say(child, "Failed", reason="Cancelled")
        else:
            self._go_on(child, _drawn(self.dice, _GOES_ON if begun else _BEGINS))

    def _go_on(self, child: Body, fate: str) -> None:
        if fate == "begin":
            self._say(child, "Running", executionStartTime=_now())
        elif fate == "complete":
            self._say(child, "Completed", executionEndTime=_now())
        elif fate == "fail":
            self._say(child, "Failed", lastError=_BOOK, executionEndTime=_now())
        elif fate == "end before it began":
            self._say(child, "Completed", executionEndTime=_now(timedelta(hours=-1)))
        elif fate == "make no sense":
            self._say(child, self.dice.choice(("Unheard-of", "Pending", "completed")))
        elif fate == "delete":
            self.deleted.append(child["metadata"]["name"])
            self.shop.api.delete(f"{self.shop.children.path}/{child['metadata']['name']}")

    def _say(self, child: Body, phase: str, **more: object) -> None:
        path = f"{self.shop.children.path}/{child['metadata']['name']}/status"
        self.shop.api.patch(path, {"status": {"phase": phase, **more}})


@dataclass
class Person:
    """Cancels a few workflows, suspends some for a while; resumes all in the end."""

    shop: Shop
    dice: random.Random
    suspended: set[str] = field(default_factory=set)

    def round(self) -> None:
        fate = _drawn(self.dice, _MINDS)
        if fate in ("cancel", "suspend"):
            self._set(self._any(), fate, value=True)
        elif fate == "resume" and self.suspended:
            self._set(self.dice.choice(sorted(self.suspended)), "suspend", value=False)

    def resume_all(self) -> None:
        for name in sorted(self.suspended):
            self._set(name, "suspend", value=False)

    def _any(self) -> str:
        names = [each["metadata"]["name"] for each in listed(self.shop.workflows)]
        return self.dice.choice(sorted(names)) if names else ""

    def _set(self, name: str, control: str, *, value: bool) -> None:
        if not name:
            return
        code, _ = self.shop.workflows.patch(name, {control: value})
        if control == "suspend" and (code == _SETTLED or not value):
            self.suspended.discard(name)
        elif control == "suspend":
            self.suspended.add(name)


@contextmanager
def at_work(executor: Executor, person: Person) -> Iterator[threading.Event]:
    """Both act until the end of the block; once the event is set the person has gone home."""
    over, home = threading.Event(), threading.Event()

    def work() -> None:
        while not over.wait(_PAUSE):
            with contextlib.suppress(*AWAY):
                executor.round()
                (person.resume_all if home.is_set() else person.round)()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            yield home
        finally:
            over.set()
        working.result()  # raises what it met


def listed(objects: Objects) -> list[Body]:
    """What is there; nothing while the server cannot say."""
    code, answer = objects.api.get(objects.path)
    found: list[Body] = answer["items"] if code == 200 else []
    return found


def _drawn(dice: random.Random, odds: Mapping[str, int]) -> str:
    (fate,) = dice.choices(list(odds), list(odds.values()))
    return fate


def _late(child: Body) -> bool:
    meta = child["metadata"]
    return bool(meta["creationTimestamp"] > meta["annotations"][_NOT_AFTER])


def _now(shifted: timedelta = timedelta()) -> str:
    return (datetime.fromtimestamp(time.time(), UTC) + shifted).strftime("%Y-%m-%dT%H:%M:%SZ")
