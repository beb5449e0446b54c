"""A promotion criterion in Python: the last sample's lag is at most `maxLag` entries (100 without the setting)."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.configuration import Problem
from wit_world.exports.promotion import Verdict_Approve, Verdict_Wait, WaitInfo
from wit_world.imports import logging, settings


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
            if key != "maxLag":
                problems.append(Problem(key, f"unknown field `{key}`, expected `maxLag`"))
            elif type(value) is not int or value < 0:
                problems.append(Problem(key, "expected a whole number from 0"))
        return problems


class Promotion(exports.Promotion):
    def evaluate(self, cluster, candidate, window):
        # Any exception but Err traps, and its text is lost.
        try:
            return verdict(candidate, window)
        except Exception as error:
            raise Err(repr(error))


def verdict(candidate, window):
    max_lag = json.loads(settings.get()).get("maxLag", 100)
    if window.len() == 0:
        return Verdict_Wait(WaitInfo("no sample yet", None))
    lag = window.lag(window.len() - 1)
    logging.log(logging.Level.DEBUG, f"{candidate.name()} is {lag} entries behind")
    if lag > max_lag:
        return Verdict_Wait(WaitInfo(f"lag {lag} > {max_lag}", 50))
    return Verdict_Approve()
