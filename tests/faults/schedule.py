"""A schedule: what goes otherwise than in a workload's story, and at which call; with a text form.

    chain 2.3:crash-after                   the fourth call of the run of scene 2 is its last
    fan-2 0*2 0.5:to-B 0.9:finish,to-A      two runs overlap in scene 0, the executor in between
    retry 0.4:sleep-120 3.0:wake            a run sleeps two minutes and more, and wakes up later

Calls are counted from 0 over all runs of a scene. Several words at one call happen in their order,
before the call; a fault is how the call itself goes.
"""

from dataclasses import dataclass, replace

from typing_extensions import override


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A word at a call of a scene."""

    scene: int
    call: int
    word: str

    @property
    def at(self) -> tuple[int, int]:
        return (self.scene, self.call)


@dataclass(frozen=True, slots=True)
class Schedule:
    """`runs`: how many runs a scene has, where it is not one."""

    workload: str
    marks: tuple[Mark, ...] = ()
    runs: tuple[tuple[int, int], ...] = ()

    @override
    def __str__(self) -> str:
        words: dict[tuple[int, int], list[str]] = {}
        for mark in self.marks:
            words.setdefault(mark.at, []).append(mark.word)
        return " ".join((
            self.workload,
            *(f"{scene}*{count}" for scene, count in self.runs),
            *(f"{scene}.{call}:{','.join(each)}" for (scene, call), each in words.items()),
        ))  # fmt: skip

    @property
    def scenes(self) -> range:
        """From the first scene that goes otherwise to the last."""
        touched = [mark.scene for mark in self.marks] + [scene for scene, _ in self.runs]
        return range(min(touched, default=0), max(touched, default=0) + 1)

    def runs_of(self, scene: int) -> int:
        return dict(self.runs).get(scene, 1)

    def marks_of(self, scene: int) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for mark in self.marks:
            if mark.scene == scene:
                found.setdefault(mark.call, []).append(mark.word)
        return found

    def also(self, *marks: Mark) -> "Schedule":
        """With more marks, which come after those it has."""
        return replace(self, marks=(*self.marks, *marks))


def read(text: str) -> Schedule:
    """The schedule of a text as `str` writes it.

    Raises:
        ValueError: it is no schedule, told for people.
    """
    workload, *parts = text.split()
    marks: list[Mark] = []
    runs: list[tuple[int, int]] = []
    for part in parts:
        place, colon, words = part.partition(":")
        try:
            if colon:
                scene, call = map(int, place.split("."))
                marks += [Mark(scene, call, word) for word in words.split(",")]
            else:
                scene, count = map(int, place.split("*"))
                runs.append((scene, count))
        except ValueError:
            raise ValueError(f"{part!r} is neither SCENE.CALL:WORD nor SCENE*RUNS") from None
    return Schedule(workload, tuple(marks), tuple(runs))
