"""Taking a Lease when answers are lost (contract 1, lease; contract 7)."""

from dataclasses import dataclass, field

import pytest

from reconciler.core.outcome import ExitCode
from reconciler.kube.answers import Response
from reconciler.kube.requests import LEASES, Request, Verb
from tests.builders import step
from tests.unit.runs import Shop, refusal


@dataclass
class LostOnce:
    """The server carries out the first write of a Lease, and its answer never arrives."""

    verb: Verb
    lost: list[str] = field(default_factory=list)

    def before(self, request: Request) -> Response | None:
        del request
        return None

    def after(self, request: Request, response: Response) -> Response:
        if request.target.resource != LEASES or request.verb is not self.verb or self.lost:
            return response
        self.lost.append(request.target.name)
        return refusal(503)


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(Verb.CREATE, id="a-lease-that-is-new"),
        pytest.param(Verb.UPDATE, id="a-lease-that-was-released"),
    ],
)
def test_a_lease_whose_answer_was_lost_is_ours(verb: Verb) -> None:
    """The second attempt meets our own write: AlreadyExists or Conflict, and nobody else's."""
    shop = Shop()
    if verb is Verb.UPDATE:
        shop.run()
    shop.workflow("here", step("a"))
    shop.server.interceptor = LostOnce(verb)
    outcome = shop.run()
    assert (outcome.exit_code, outcome.held_elsewhere) == (ExitCode.DONE, False)
    assert shop.steps("here") == ["a"]
    assert shop.lease().get("holderIdentity", "") == ""
