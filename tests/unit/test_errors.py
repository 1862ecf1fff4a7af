import inspect

from rpgen import errors
from rpgen.errors import ExitCode, RpgenError


def test_every_error_has_an_exit_code_of_its_own() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, RpgenError) and kind is not RpgenError
    ]
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes) > 5
    assert not {ExitCode.OK, ExitCode.FAILED, ExitCode.INTERRUPTED} & set(codes)


def test_exit_codes_fit_a_shell() -> None:
    assert all(0 <= code < 256 for code in ExitCode)
