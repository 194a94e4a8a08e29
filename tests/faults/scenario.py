"""A play that a test conducts by hand: how far which run comes, and what others do meanwhile."""

from reconciler.kube.requests import CHILDREN, RECORDS, WORKFLOWS, Resource, Verb
from tests.faults import reading
from tests.faults.deeds import DEEDS
from tests.faults.play import NAMESPACE
from tests.faults.process import Process
from tests.faults.reading import Json
from tests.faults.soundness import unsound
from tests.faults.workloads import Workload


class Scenario:
    """The invariants are looked at on the way; a broken one fails the test."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.play = workload.play()

    # --- who acts ---------------------------------------------------------------------------

    def run(self) -> Process:
        """A whole run, from its first call to its end."""
        return self.rest(self.play.start())

    def begin(self, name: str, verb: Verb, resource: Resource) -> Process:
        """A run that stands before its first such call."""
        return self.up_to(self.play.start(name), verb, resource)

    def up_to(self, run: Process, verb: Verb, resource: Resource) -> Process:
        while run.pending is not None:
            if (run.pending.verb, run.pending.target.resource) == (verb, resource):
                return run
            self.call(run)
        raise AssertionError(f"run {run.name} ends without a {verb} of {resource.plural}")

    def call(self, run: Process) -> None:
        """One call of it, and what the server answers."""
        self.play.proceed(run, self.play.perform(run))

    def rest(self, run: Process) -> Process:
        while run.pending is not None:
            self.call(run)
        return run

    def does(self, *deeds: str) -> None:
        """What executors, people and git do, by the names of `deeds.py`."""
        for deed in deeds:
            assert DEEDS[deed](self.play, self.workload), f"{deed} has nothing to do"

    def passes(self, seconds: float, *asleep: Process) -> None:
        """Time, for which these runs stand still."""
        for run in asleep:
            run.slept = True
        self.play.time.sleep(seconds)

    # --- what the server holds --------------------------------------------------------------

    @property
    def workflow(self) -> Json:
        """The last by name."""
        return self.play.server.objects(WORKFLOWS)[-1]

    @property
    def status(self) -> Json:
        return reading.status(self.workflow)

    def result(self, step: str) -> Json:
        return reading.results(self.workflow)[step]

    def child(self, step: str, attempt: int = 0) -> Json | None:
        for each in self.play.server.objects(CHILDREN):
            if reading.attempt(each)[1:] == (step, attempt):
                return each
        return None

    def workflow_named(self, name: str) -> Json:
        found = self.play.server.object(WORKFLOWS, NAMESPACE, name)
        assert found is not None, name
        return found

    def record(self, name: str) -> list[Json]:
        """The contents of a record, the newest first."""
        found = self.play.server.object(RECORDS, NAMESPACE, name)
        assert found is not None, name
        contents: list[Json] = found["status"]["contents"]
        return contents

    def comes_to_rest(self) -> None:
        """Two clean runs, and then everything is as it should be."""
        self.run()
        self.run()
        assert list(unsound(self.play)) == []
