"""Reading the next scene while one is in work."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from icefront_dask.errors import ReadError
from icefront_dask.runs.ahead import read_ahead


def test_results_come_in_order_and_one_is_read_ahead() -> None:
    begun, second = [], threading.Event()

    def read(number: int) -> int:
        begun.append(number)
        if number == 1:
            second.set()
        return 10 * number

    results = read_ahead(range(4), read)
    assert next(results) == 0
    assert second.wait(30)  # the next is read although nobody asked for it
    assert 2 not in begun
    assert list(results) == [10, 20, 30]
    assert begun == [0, 1, 2, 3]
    assert list(read_ahead([], read)) == []


def test_an_error_is_raised_in_its_turn_and_nothing_is_left_running() -> None:
    def read(number: int) -> int:
        if number == 1:
            raise ReadError("torn")
        return number

    before = threading.active_count()
    with closing(read_ahead(range(5), read)) as results:
        assert next(results) == 0
        with pytest.raises(ReadError, match="torn"):
            next(results)
    assert threading.active_count() == before
