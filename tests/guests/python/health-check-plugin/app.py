"""A health check in Python: every member answers and runs the expected etcd version.

Settings: `version` (the version to expect; without it the newcomer's, else the leader's) and `severity` of a member that
runs another one (`warning` or `error`, the latter refuses the join).
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.configuration import Problem
from wit_world.exports.health_check import Finding, Severity
from wit_world.imports import logging, settings

SEVERITIES = {"warning": Severity.WARNING, "error": Severity.ERROR}


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
            if key == "version":
                if not isinstance(value, str):
                    problems.append(Problem(key, 'expected a version such as "3.5.16"'))
            elif key == "severity":
                if value not in ("warning", "error"):
                    problems.append(Problem(key, 'expected "warning" or "error"'))
            else:
                problems.append(Problem(key, f"unknown field `{key}`, expected `version` or `severity`"))
        return problems


class HealthCheck(exports.HealthCheck):
    def check(self, cluster, newcomer):
        # Any exception but Err traps, and its text is lost.
        try:
            return findings(cluster, newcomer)
        except Exception as error:
            raise Err(repr(error))


def findings(cluster, newcomer):
    given = json.loads(settings.get())
    expected = given.get("version") or newcomer.version()
    if expected is None:
        leader = cluster.leader()
        expected = leader.version() if leader else None
    members = cluster.members()
    found = []
    for member in members:
        name, runs = member.name() or member.id(), member.version()
        if not member.reachable():
            remedy = f"start {name}, or remove it from the member list"
            found.append(Finding(Severity.ERROR, "member-unreachable", f"{name} does not answer", remedy, member.id()))
        elif expected is not None and runs != expected:
            severity = SEVERITIES[given.get("severity", "warning")]
            message = f"{name} runs {runs or 'an unknown version'}, not {expected}"
            remedy = f"bring {name} to {expected} first"
            found.append(Finding(severity, "version-differs", message, remedy, member.id()))
    logging.log(logging.Level.INFO, f"{len(found)} of {len(members)} members are not as expected")
    return found
