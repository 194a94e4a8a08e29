"""Contract 1, observe, and 7, gone: a list is whole, of one moment, or not used at all."""

import threading
from typing import Any

import pytest
from pydantic_core import to_json

from reconciler.core.facts import Child
from reconciler.errors import DeadlinePassed, Refused, Unreachable
from reconciler.kube import codec, requests
from reconciler.kube.answers import Response
from reconciler.kube.codec import Json
from reconciler.kube.paging import read_list
from reconciler.kube.requests import CHILDREN
from reconciler.retry import Transient
from tests.conformance.bodies import child
from tests.fakes.clock import START
from tests.unit.kube.scripted import Line, Wire, ok, refusal

FIRST = requests.page(CHILDREN, "shop")
DATE = {"date": "Fri, 02 Jan 2026 03:04:05 GMT"}
GONE = refusal(410, "Expired")


def page(*names: str, then: str = "", headers: dict[str, str] | None = None) -> Response:
    body: dict[str, Any] = {
        "apiVersion": CHILDREN.api_version,
        "kind": "KubernetesExecutionList",
        "metadata": {"resourceVersion": "7", "continue": then},
        "items": [child(name) for name in names],
    }
    return ok(body, headers)


def _only_b(item: Any) -> Child | None:  # noqa: ANN401  # any JSON
    found = codec.child(item)
    return found if found.name == "b" else None


def listed(*lines: Line) -> tuple[list[str], Wire]:
    wire = Wire(*lines)
    found: list[Child] = list(read_list(wire.calls, FIRST, codec.child).items)
    return [each.name for each in found], wire


def tokens(wire: Wire) -> list[str]:
    """What each request continued."""
    return [dict(request.query).get("continue", "") for request in wire.transport.requests]


def test_a_list_is_read_page_after_page() -> None:
    """Each with the token of the one before."""
    names, wire = listed(page("a", "b", then="t"), page("c", then="u"), page("d"))
    assert names == ["a", "b", "c", "d"]
    assert tokens(wire) == ["", "t", "u"]


def test_the_time_is_that_of_the_first_page() -> None:
    """Contract 1, decide."""
    wire = Wire(page("a", then="t", headers=DATE), page("b"))
    assert read_list(wire.calls, FIRST, codec.child).at == START


def test_what_is_projected_to_none_is_dropped_as_it_is_read() -> None:
    """Contract 1, observe: what belongs to no unsettled workflow is never held."""
    wire = Wire(page("a", "b"))
    found = read_list(wire.calls, FIRST, _only_b)
    assert [each.name for each in found.items] == ["b"]


def test_an_empty_page_in_the_middle_is_no_end() -> None:
    """The token says whether there is more, the number of items does not."""
    names, _ = listed(page("a", then="t"), page(then="u"), page("b"))
    assert names == ["a", "b"]


def test_a_list_that_expires_is_read_again_from_its_first_page() -> None:
    """Contract 7, gone: nothing of the first reading is kept."""
    names, wire = listed(page("a", "b", then="t"), GONE, page("b", "c", then="u"), page("d"))
    assert names == ["b", "c", "d"]
    assert tokens(wire) == ["", "t", "", "u"]


def test_the_token_that_a_410_offers_is_not_used() -> None:
    """Contract 7, gone: it continues with another moment, and says so."""
    offered = {"kind": "Status", "apiVersion": "v1", "metadata": {"continue": "other"}}
    gone = Response(410, to_json(offered | {"reason": "Expired", "code": 410}))
    _, wire = listed(page("a", then="t"), gone, page("b"))
    assert tokens(wire) == ["", "t", ""]


def test_the_time_is_that_of_the_reading_that_is_used() -> None:
    """The first one was of an earlier moment."""
    wire = Wire(page("a", then="t"), GONE, page("b", headers=DATE))
    assert read_list(wire.calls, FIRST, codec.child).at == START


def test_a_list_that_expires_again_and_again_is_given_up() -> None:
    """Contract 7, gone: twice at most."""
    half = page("a", then="t")
    wire = Wire(half, GONE, half, GONE, half, GONE, page("never"))
    with pytest.raises(Unreachable, match="expired 3 times"):
        read_list(wire.calls, FIRST, codec.child)
    assert tokens(wire) == ["", "t", "", "t", "", "t"]


CUT = Response(200, page("b").body[:-9])


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(Transient("reset"), id="no-answer"),
        pytest.param(refusal(503), id="503"),
        pytest.param(CUT, id="cut"),
        pytest.param(Response(200, b""), id="empty"),
        pytest.param(Response(200, b"<html>"), id="a-proxys-page"),
        pytest.param(ok({"kind": "Status", "apiVersion": "v1"}), id="another-kind"),
    ],
)
class TestABrokenPage:
    """F12: truncated, empty and foreign bodies are failed reads."""

    def test_is_read_again_with_the_same_token(self, broken: Line) -> None:
        """Contract 7, transient: what was read before it stays."""
        names, wire = listed(page("a", then="t"), broken, page("b"))
        assert names == ["a", "b"]
        assert tokens(wire) == ["", "t", "t"]

    def test_fails_the_list_after_three_attempts(self, broken: Line) -> None:
        """A partial list is never used."""
        wire = Wire(page("a", then="t"), broken)
        with pytest.raises(Unreachable):
            read_list(wire.calls, FIRST, codec.child)
        assert tokens(wire) == ["", "t", "t", "t"]

    def test_fails_the_list_on_the_first_page_too(self, broken: Line) -> None:
        """Never `there is nothing`."""
        wire = Wire(broken)
        with pytest.raises(Unreachable):
            read_list(wire.calls, FIRST, codec.child)
        assert wire.sent == 3


def test_a_refused_list_is_not_read_again() -> None:
    """Contract 7: permanent."""
    wire = Wire(refusal(403, "Forbidden"))
    with pytest.raises(Refused):
        read_list(wire.calls, FIRST, codec.child)
    assert wire.sent == 1


def test_no_page_is_asked_for_after_the_deadline() -> None:
    """Contract 7: a list that was not read to its end is not used at all."""
    wire = Wire(page("a", then="t"), page("b"))
    wire.transport.tell(wire.deadline.stop)
    with pytest.raises(DeadlinePassed):
        read_list(wire.calls, FIRST, codec.child)
    assert wire.sent == 1


def _weighing(size: int, then: str = "") -> Response:
    """A page of one object; about so many bytes."""
    body: dict[str, Any] = {
        "apiVersion": CHILDREN.api_version,
        "kind": "KubernetesExecutionList",
        "metadata": {"continue": then},
        "items": [child("a") | {"status": {"lastError": "x" * size}}],
    }
    return ok(body)


class TestHowManyObjectsAPageHolds:
    """As JSON two pages are in memory: what counts is how heavy they are."""

    @pytest.mark.parametrize(
        ("size", "least", "most"),
        [
            pytest.param(1 << 10, 1_000, 2_000, id="of-a-kilobyte"),
            pytest.param(1 << 18, 7, 7, id="of-a-quarter-of-a-megabyte"),
            pytest.param(3 << 20, 1, 1, id="of-more-than-a-page"),
        ],
    )
    def test_is_told_by_those_before(self, size: int, least: int, most: int) -> None:
        """The first page is of a fixed number, the next ones of 2 MiB."""
        _, wire = listed(_weighing(size, then="t"), page("b"))
        first, second = (int(dict(request.query)["limit"]) for request in wire.transport.requests)
        assert first == requests.FIRST_PAGE
        assert least <= second <= most

    def test_stays_where_a_page_was_empty(self) -> None:
        """It tells of no weight."""
        _, wire = listed(page(then="t"), page("b"))
        assert len({dict(request.query)["limit"] for request in wire.transport.requests}) == 1


class TestWhileAPageIsMadeIntoValues:
    """A long list: the server and we work side by side."""

    def test_the_next_one_is_on_its_way(self) -> None:
        """Each waits for the other to have begun: one after the other they never end."""
        wire = Wire(page("a", then="t"), page("b"))
        asked, begun = threading.Event(), threading.Event()

        def tell() -> None:
            if wire.sent == 2:
                asked.set()
                assert begun.wait(timeout=30)

        def project(item: Json) -> Child:
            begun.set()
            assert asked.wait(timeout=30)
            return codec.child(item)

        wire.transport.tell(tell)
        assert [each.name for each in read_list(wire.calls, FIRST, project).items] == ["a", "b"]

    def test_no_more_than_the_next_one(self) -> None:
        """Two pages as JSON are in memory at most, however fast the server is."""
        wire = Wire(page("a", then="t"), page("b", then="u"), page("c"))
        asked = threading.Event()
        wire.transport.tell(lambda: asked.set() if wire.sent == 3 else None)

        def project(item: Json) -> Child:
            found = codec.child(item)
            assert found.name != "a" or not asked.wait(timeout=0.2)
            return found

        assert len(read_list(wire.calls, FIRST, project).items) == 3

    def test_one_that_fails_ends_the_list(self) -> None:
        """Nothing of what was made until then is used."""
        wire = Wire(page("a", then="t"), refusal(403, "Forbidden"))
        with pytest.raises(Refused):
            read_list(wire.calls, FIRST, codec.child)
