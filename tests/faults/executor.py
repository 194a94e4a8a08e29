"""An executor that keeps contract 2, by the children's status alone.

It acts on no child that came after its own `not-after`, or that was asked to stop before it began.
How an attempt ends is written down beforehand, by its step and by how often that step was really
tried before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.kube.requests import CHILDREN, Target, patch
from tests.faults import reading
from tests.faults.play import Play
from tests.faults.reading import Json

NEVER = "Never"  # how an attempt ends that goes on until it is asked to stop
STUBBORN = "Stubborn"  # and one that goes on even then


@dataclass(frozen=True, slots=True)
class Executor:
    """`ends` maps `step/tries` to Completed, Failed, NEVER or STUBBORN; default is Completed."""

    play: Play
    ends: Mapping[str, str]

    def begin(self) -> bool:
        """Takes up every child that nobody has; False when there was none."""
        begun = [self._begin(child) for child in self._active() if not _begun(child)]
        return any(begun)

    def finish(self) -> bool:
        """Every child at work comes to its end, if it ever does."""
        ended = [self._end(child) for child in self._active()]
        return any(ended)

    def finish_first(self) -> bool:
        return any(self._end(child) for child in self._active())

    def finish_last(self) -> bool:
        return any(self._end(child) for child in reversed(list(self._active())))

    def _active(self) -> Iterator[Json]:
        for child in self.play.server.objects(CHILDREN):
            if not reading.terminal(child):
                yield child

    def _begin(self, child: Json) -> bool:
        if _untouched(child):
            return self._refuse(child)
        self._write(child, {"phase": "Running", "executionStartTime": self._now()})
        return True

    def _end(self, child: Json) -> bool:
        if not _begun(child) and _untouched(child):
            return self._refuse(child)
        end = self.ends.get(f"{child['spec']['stepName']}/{self._tries(child)}", "Completed")
        stopped = reading.asked_to_stop(child) and end != STUBBORN
        if end in (NEVER, STUBBORN) and not stopped:
            return False
        now = self._now()
        told = {"executionStartTime": child["status"].get("executionStartTime", now)}
        if stopped:
            told |= {"phase": "Failed", "reason": "Cancelled"}
        elif end == "Failed":
            told |= {"phase": "Failed", "reason": "Broken", "lastError": "it did not work"}
        else:
            told |= {"phase": "Completed"}
        self._write(child, {**told, "executionEndTime": now})
        return True

    def _refuse(self, child: Json) -> bool:
        reason = "Late" if _late(child) else "Cancelled"
        self._write(child, {"phase": "Failed", "reason": reason, "executionEndTime": self._now()})
        return True

    def _tries(self, child: Json) -> int:
        """Attempts of this step that were really made before this one."""
        return sum(
            reading.attempt(each)[:2] == reading.attempt(child)[:2]
            and each["spec"]["attempt"] < child["spec"]["attempt"]
            and not _late(each)
            for each in self.play.server.objects(CHILDREN)
        )

    def _write(self, child: Json, status: Json) -> None:
        about = child["metadata"]
        target = Target(CHILDREN, about["namespace"], about["name"], "status")
        answer = self.play.hand(patch(target, {"status": status}))
        assert answer.ok, answer.body

    def _now(self) -> str:
        return self.play.time.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _begun(child: Json) -> bool:
    return bool(child["status"].get("executionStartTime"))


def _untouched(child: Json) -> bool:
    return _late(child) or reading.asked_to_stop(child)


def _late(child: Json) -> bool:
    """Both are RFC 3339 in UTC, of one form: they compare as text."""
    about = child["metadata"]
    bound = about.get("annotations", {}).get(reading.NOT_AFTER, "")
    return bool(bound) and about["creationTimestamp"] > bound
