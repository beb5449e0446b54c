"""Write runner plugins in Python: one file per role, a function in it, and a table of settings.

This package makes verdicts and findings, and logs. It is plain Python and can be imported anywhere, so an author's functions
can be tested without WebAssembly. What runs around them in a component is in `runner_plugin.guest`.
"""

from dataclasses import dataclass
from typing import Any, Optional, Union

__all__ = ["Approve", "Event", "Finding", "Reject", "Wait", "approve", "finding", "log", "reject", "wait"]


@dataclass(frozen=True)
class Approve:
    """The candidate may become a voter."""


@dataclass(frozen=True)
class Wait:
    """Not yet."""

    reason: str
    retry_after_ms: Optional[int] = None


@dataclass(frozen=True)
class Reject:
    """Give up: the join is undone."""

    reason: str


Verdict = Union[Approve, Wait, Reject]


@dataclass(frozen=True)
class Finding:
    """Something worth saying about the cluster; one of severity `error` refuses the join."""

    severity: str
    code: str
    message: str
    remedy: Optional[str] = None
    member: Optional[str] = None


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    kind: str
    at_ms: int
    details: Any


def approve() -> Approve:
    """The candidate may become a voter."""
    return Approve()


def wait(reason: str, retry_after_ms: Optional[int] = None) -> Wait:
    """Not yet; asked again after so many milliseconds, or with the next sample."""
    return Wait(reason, retry_after_ms)


def reject(reason: str) -> Reject:
    """Give up: the join is undone."""
    return Reject(reason)


def finding(severity: str, code: str, message: str, remedy: Optional[str] = None, member: Optional[str] = None) -> Finding:
    """Something worth saying; `severity` is `info`, `warning` or `error`."""
    return Finding(severity, code, message, remedy, member)


class _Log:
    """Messages for whoever reads the run; outside of a component they go to stderr."""

    def __init__(self):
        self._say = None

    def _line(self, level, message):
        if self._say is None:
            import sys

            print(f"{level}: {message}", file=sys.stderr)
        else:
            self._say(level, str(message))

    def debug(self, message):
        self._line("debug", message)

    def info(self, message):
        self._line("info", message)

    def warn(self, message):
        self._line("warn", message)

    def error(self, message):
        self._line("error", message)


log = _Log()
