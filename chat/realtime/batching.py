"""Questions of an event loop that are put to the store together."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")

# Questions of one trip, which bounds how long the last of them waits for the first.
MOST = 100


class Gathering(Generic[Question, Answer]):
    """Answers what is asked of it: one trip after the other, each with all that came meanwhile.

    So a lone question goes at once, and the more there are, the less of a trip, of a change of
    thread and of a thread's fight for the interpreter each of them costs.
    """

    def __init__(self, answer: Callable[[Sequence[Question]], Sequence[Answer]]) -> None:
        # Makes a trip: returns the answer to each question, in their order.
        self._answer = answer
        self._asked: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._thread = ThreadPoolExecutor(1, "gathering")
        self._is_away = False

    async def ask(self, question: Question) -> Answer:
        """Return the answer; whatever a trip raises, all who are on it get."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked.append((question, answer))
        if not self._is_away:
            self._depart()
        return await answer

    def _depart(self) -> None:
        party, self._asked = self._asked[:MOST], self._asked[MOST:]
        questions = [question for question, _ in party]
        trip = asyncio.get_running_loop().run_in_executor(self._thread, self._answer, questions)
        trip.add_done_callback(lambda trip: self._return(trip, [answer for _, answer in party]))
        self._is_away = True

    def _return(
        self, trip: asyncio.Future[Sequence[Answer]], awaited: list[asyncio.Future[Answer]]
    ) -> None:
        error = trip.exception()
        for i, answer in enumerate(awaited):
            if answer.done():
                continue  # who asked has left
            if error is None:
                answer.set_result(trip.result()[i])
            else:
                answer.set_exception(error)
        self._is_away = False
        if self._asked:
            self._depart()
