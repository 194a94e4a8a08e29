"""One document on its way through stage 3: what it calls for, and what became of it (contract 5).

An order is a value that each step of the stage replaces; a document that fails at one of them goes
no further and harms no other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.core.definitions import Outline
from reconciler.core.outcome import DocumentResult
from reconciler.core.source import Key, SourceView
from reconciler.core.verdicts import Todo, Verdict


@dataclass(frozen=True, slots=True)
class Sighting:
    """A workflow as it was read before the fence; what is done to it is done to exactly this."""

    key: Key
    uid: str
    version: str


@dataclass(frozen=True, slots=True)
class Order:
    """One document, what it calls for, and its object as it was read before the fence.

    `uid` is the object's, empty where there is none. `queued`: older runs of it are at work;
    `replaces` are those of them that are still to be asked to end. `unanswered`: what was sent for
    it may still land.
    """

    definition: Outline
    verdict: Verdict
    raw: Mapping[str, object] | None = None
    uid: str = ""
    queued: bool = False
    replaces: tuple[Sighting, ...] = ()
    unanswered: bool = False

    @property
    def key(self) -> Key:
        """Namespace and name of the run."""
        return (self.definition.namespace, self.definition.run)

    @property
    def sends(self) -> bool:
        return self.verdict.todo in (Todo.MAKE, Todo.REPLACE, Todo.STEER, Todo.ADOPT)

    @property
    def asks(self) -> tuple[Sighting, ...]:
        """The older runs to ask to end; none when the run that is to follow them is not there."""
        return self.replaces if self.result is DocumentResult.QUEUED else ()

    @property
    def result(self) -> DocumentResult:
        waits = self.queued and self.verdict.result in (
            DocumentResult.APPLIED,
            DocumentResult.UNCHANGED,
        )
        return DocumentResult.QUEUED if waits else self.verdict.result

    def ruled(self, verdict: Verdict) -> "Order":
        return replace(self, verdict=verdict)

    def refused(self, why: str) -> "Order":
        """By the server: it is tried again, but somebody must do something about it."""
        return self.ruled(Verdict(Todo.LEAVE, DocumentResult.REFUSED, why))

    def postponed(self, why: str, *, unanswered: bool = False) -> "Order":
        """Left to the next run."""
        late = Verdict(Todo.LEAVE, DocumentResult.NOT_REACHED, why)
        return replace(self, verdict=late, unanswered=unanswered)


@dataclass(frozen=True, slots=True)
class DocumentOutcome:
    """What became of one document, with file and line; `message` is empty when all is well."""

    result: DocumentResult
    path: str
    line: int
    namespace: str = ""
    name: str = ""
    message: str = ""

    @property
    def text(self) -> str:
        """For people: `path:line: namespace/name: message`."""
        who = "/".join(part for part in (self.namespace, self.name) if part)
        return ": ".join(part for part in (f"{self.path}:{self.line}", who, self.message) if part)


def outcomes(view: SourceView, orders: Sequence[Order]) -> Iterator[DocumentOutcome]:
    """Of what could not be read, one a problem; then one a document."""
    for problem in view.definitions.problems:
        yield DocumentOutcome(
            DocumentResult.INVALID,
            problem.path,
            problem.line,
            problem.namespace,
            problem.name,
            problem.message,
        )
    for order in orders:
        stated = order.definition
        yield DocumentOutcome(
            order.result,
            stated.path,
            stated.line,
            stated.namespace,
            stated.name,
            order.verdict.why,
        )
