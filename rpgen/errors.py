"""Every error that rpgen raises on purpose, each with the exit code the command line gives it.

The message of an error is one sentence that says what happened, and what to do next where
there is something to do. Outcomes of tests are values, never exceptions: see `rpgen.run`.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a shell sees. The README's table is checked against this list."""

    OK = 0
    FAILED = 1  # a test failed, or `generate --check` found a stale file
    USAGE = 2  # an option, a model name or an input file that can't be understood
    NOTHING_RAN = 3  # no test file was found, or no test was selected
    MODEL_UNAVAILABLE = 4  # the model or its files can't be had, or are broken
    DATA = 5  # the model database or the hardware inventory can't be read
    OUTPUT = 6  # a file can't be written, or would overwrite somebody's work
    TEMPLATE = 7  # a template is broken, or made something that isn't Python
    MISSING_PACKAGE = 8  # an optional package is needed and absent
    WORKER = 9  # the worker process can't be started
    OUT_OF_MEMORY = 10  # a model fits nowhere on this machine
    INTERNAL = 70  # a bug in rpgen
    INTERRUPTED = 130  # Ctrl-C


class RpgenError(Exception):
    """The base of all errors that rpgen raises on purpose."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL


class UsageError(RpgenError):
    """An option, a model name or an input file can't be understood."""

    exit_code = ExitCode.USAGE


class NothingRanError(RpgenError):
    """There was nothing to run."""

    exit_code = ExitCode.NOTHING_RAN


class ModelUnavailableError(RpgenError):
    """The model can't be had: not found, gated, torn, or no hub in reach."""

    exit_code = ExitCode.MODEL_UNAVAILABLE


class DataError(RpgenError):
    """The model database or the hardware inventory can't be read."""

    exit_code = ExitCode.DATA


class OutputError(RpgenError):
    """A file can't be written, or writing it would lose somebody's work."""

    exit_code = ExitCode.OUTPUT


class TemplateError(RpgenError):
    """A template is missing or broken, or what it renders is not Python."""

    exit_code = ExitCode.TEMPLATE


class MissingPackageError(RpgenError):
    """An optional package is needed; the message names the extra that brings it."""

    exit_code = ExitCode.MISSING_PACKAGE


class WorkerError(RpgenError):
    """The worker process can't be started, so no test can run."""

    exit_code = ExitCode.WORKER


class DoesNotFitError(RpgenError):
    """A model fits on no device that it may use; the message has the numbers."""

    exit_code = ExitCode.OUT_OF_MEMORY
