"""What pytest is spared in the worker, and that nothing else changes by it."""

from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest

from rpgen.run.spared import RenderedOnce, leave_own_asserts


class Item:
    """Of a test, what making its report asks for."""

    def __init__(self) -> None:
        self.rendered = 0

    def _repr_failure_py(self, error: Any, style: str = "short") -> str:
        self.rendered += 1
        return f"traceback of {error.value}"


class Report:
    def __init__(self, longrepr: str | None) -> None:
        self.longrepr = longrepr


def a_call(
    error: BaseException | None, when: Literal["setup", "call"] = "setup"
) -> pytest.CallInfo[None]:
    def act() -> None:
        if error is not None:
            raise error

    return pytest.CallInfo.from_call(act, when=when)


def report_on(once: RenderedOnce, item: Item, call: pytest.CallInfo[None]) -> str | None:
    with once.around(item, call) as reports:
        longrepr = item._repr_failure_py(call.excinfo) if call.excinfo else None
        reports.append(Report(longrepr))
    found: str | None = reports[-1].longrepr
    return found


def test_the_same_set_up_error_is_rendered_for_the_first_test_alone() -> None:
    once, error, items = RenderedOnce(), OSError("no model"), [Item(), Item(), Item()]
    told = [report_on(once, item, a_call(error)) for item in items]
    assert told == ["traceback of no model"] * 3
    assert [item.rendered for item in items] == [1, 0, 0]
    assert all("_repr_failure_py" not in vars(item) for item in items)


@pytest.mark.parametrize("between", ["another error", "a set-up that works", "a new file"])
def test_the_error_is_let_go_when_it_is_over(between: str) -> None:
    once, error, item = RenderedOnce(), OSError("no model"), Item()
    report_on(once, item, a_call(error))
    if between == "another error":
        assert report_on(once, Item(), a_call(OSError("no model"))) == "traceback of no model"
    elif between == "a set-up that works":
        assert report_on(once, Item(), a_call(None)) is None
    else:
        once.forget()
    report_on(once, item, a_call(error))
    assert item.rendered == 2


def test_an_error_of_the_test_itself_is_always_rendered() -> None:
    once, error, item = RenderedOnce(), OSError("no model"), Item()
    report_on(once, item, a_call(error))
    assert report_on(once, item, a_call(error, "call")) == "traceback of no model"
    assert item.rendered == 2


def test_a_report_that_breaks_leaves_the_item_as_it_was() -> None:
    once, error, item = RenderedOnce(), OSError("no model"), Item()
    report_on(once, item, a_call(error))
    with pytest.raises(KeyboardInterrupt), once.around(item, a_call(error)):
        raise KeyboardInterrupt
    assert "_repr_failure_py" not in vars(item)


def test_only_own_modules_lose_their_mark() -> None:
    marked = {"rpgen", "rpgen.run.pytest_plugin", "rpgen_helpers", "anyio"}
    manager = SimpleNamespace(rewrite_hook=SimpleNamespace(_must_rewrite=marked))
    leave_own_asserts(cast(pytest.Config, SimpleNamespace(pluginmanager=manager)))
    assert marked == {"rpgen_helpers", "anyio"}
