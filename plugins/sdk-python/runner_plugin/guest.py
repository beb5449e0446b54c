"""What runs around an author's functions in a component: settings are read, whatever is raised becomes the contract's text (a
trap would lose it), and the window of samples becomes a sequence.

Everything is imported here, at the top: a component has no files, so what is not imported when it is built is not there.
"""

from collections.abc import Sequence

from componentize_py_types import Err
from wit_world.imports import logging
from wit_world.imports import settings as host_settings

import runner_plugin

from .settings import read

_LEVELS = {
    "debug": logging.Level.DEBUG,
    "info": logging.Level.INFO,
    "warn": logging.Level.WARN,
    "error": logging.Level.ERROR,
}
runner_plugin.log._say = lambda level, message: logging.log(_LEVELS[level], message)


class Sample:
    """One sample of the window."""

    __slots__ = ("_i", "_window")

    def __init__(self, window, i):
        self._window, self._i = window, i

    def at_ms(self):
        return self._window.at_ms(self._i)

    def leader_index(self):
        return self._window.leader_index(self._i)

    def applied_index(self):
        return self._window.applied_index(self._i)

    def lag(self):
        """Entries behind the leader."""
        return self._window.lag(self._i)

    def leader(self):
        """The leader's member id; None where there was none."""
        return self._window.leader(self._i)

    def term(self):
        return self._window.term(self._i)

    def reachable(self):
        """Whether the candidate answered its own status request."""
        return self._window.reachable(self._i)


class Samples(Sequence):
    """The window of samples, oldest first."""

    def __init__(self, window):
        self._window, self._range = window, range(window.len())

    def __len__(self):
        return len(self._range)

    def __getitem__(self, place):
        found = self._range[place]
        return [Sample(self._window, i) for i in found] if isinstance(found, range) else Sample(self._window, found)


def text(error):
    """What was raised, as a text: what a capability refused, or the exception and where it was raised."""
    if isinstance(error, Err):
        value = error.value
        kind, message = getattr(value, "kind", None), getattr(value, "message", None)
        return f"{kind}: {message}" if kind is not None and message is not None else str(value)
    places = _places(error)
    return f"{error!r} ({places[-1]})" if places else repr(error)


def _places(error):
    """Where it was raised, outermost first. The module `traceback` would open the source files, and there are none."""
    places, step = [], error.__traceback__
    while step is not None:
        places.append(f"{step.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}, line {step.tb_lineno}")
        step = step.tb_next
    return places


def guarded(work):
    """Calls an author's function. Whatever it raises becomes a text; where it was raised goes to the log."""
    try:
        return work()
    except Err as error:
        raise Err(text(error)) from error
    except BaseException as error:
        logging.log(logging.Level.DEBUG, f"{error!r} at {' > '.join(_places(error))}")
        raise Err(text(error)) from error


def settings_of(module):
    """The settings of one role. What is not in its table is another role's: `configuration` has looked at the whole."""
    table = getattr(module, "SETTINGS", {})
    values, problems = read(host_settings.get(), table)
    own = [f"{path}: {message}" if path else message for path, message in problems if path == "" or path in table]
    if own:
        raise Err(f"bad settings: {'; '.join(own)}")
    return values


def problems_of(modules, settings):
    """Everything that is wrong with these settings, as pairs of path and message."""
    try:
        table = {}
        for module in modules:
            table.update(getattr(module, "SETTINGS", {}))
        values, problems = read(settings, table)
        if problems:
            return problems
        own = [getattr(module, "validate", None) for module in modules]
        return [(path, str(message)) for validate in own if validate for path, message in validate(values)]
    except BaseException as error:
        return [("", f"the settings could not be checked: {text(error)}")]
