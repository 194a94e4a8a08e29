"""Two runs that take turns: each stops before each of its requests."""

import threading
from collections.abc import Callable

from reconciler.kube.answers import Response
from reconciler.kube.requests import Request
from tests.unit.stages.scene import Scene


class Turn:
    """A run in a thread that only goes on when it is told to.

    It stops before each of its requests, so that one of two runs is at work at any time.
    """

    def __init__(self, act: Callable[[], object]) -> None:
        self.over = False
        self.next: Request | None = None
        self._act = act
        self._error: BaseException | None = None
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()

    def _live(self) -> None:
        self._go.acquire()
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001 - told by the thread that tests
            self._error = error
        self.over = True
        self._back.release()

    def pause(self, request: Request) -> None:
        """In the run's thread: before a request."""
        self.next = request
        self._back.release()
        self._go.acquire()

    def steps(self, count: int) -> bool:
        """That many requests of it go out; False once it is over."""
        for _ in range(count + 1):
            if self.over:
                break
            self._go.release()
            self._back.acquire()
        if self._error:
            raise self._error
        return not self.over

    def until(self, wanted: Callable[[Request], bool]) -> None:
        """It stops before the first such request; it must come to one."""
        while self.next is None or not wanted(self.next):
            assert self.steps(0)

    def finish(self) -> None:
        while self.steps(0):
            pass


class Turns:
    """An interceptor: two runs that take turns."""

    def __init__(self, scene: Scene, act: Callable[[], object]) -> None:
        self.slow, self.fast = Turn(act), Turn(act)
        scene.server.interceptor = self

    def before(self, request: Request) -> Response | None:
        for turn in (self.slow, self.fast):
            if turn.thread is threading.current_thread():
                turn.pause(request)
        return None

    def after(self, request: Request, response: Response) -> Response:
        del request
        return response
