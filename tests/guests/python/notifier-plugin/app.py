"""A notifier in Python: one line of log for every event, with the time passed since it happened.

Setting: `kinds`, a list of the event kinds to tell; all without it.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.configuration import Problem
from wit_world.imports import clock, logging, settings


class Configuration(exports.Configuration):
    def validate(self, settings):
        try:
            given = json.loads(settings)
        except ValueError as error:
            return [Problem("", f"not JSON: {error}")]
        if not isinstance(given, dict):
            return [Problem("", "expected a JSON object")]
        problems = []
        for key, value in given.items():
            if key != "kinds":
                problems.append(Problem(key, f"unknown field `{key}`, expected `kinds`"))
            elif not isinstance(value, list):
                problems.append(Problem(key, "expected a list of event kinds"))
            else:
                for i, kind in enumerate(value):
                    if not isinstance(kind, str):
                        problems.append(Problem(f"kinds[{i}]", "expected a text"))
        return problems


class Notifier(exports.Notifier):
    def notify(self, events):
        # Any exception but Err traps, and its text is lost.
        try:
            tell(events)
        except Exception as error:
            raise Err(repr(error))


def tell(events):
    kinds = json.loads(settings.get()).get("kinds")
    for event in events:
        if kinds is None or event.kind in kinds:
            ago = clock.now_ms() - event.at_ms
            logging.log(logging.Level.INFO, f"{event.kind}, {ago} ms ago: {event.json}")
