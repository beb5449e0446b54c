"""A health check in Python that was not kept off WASI: it prints, reads its own clock and sleeps if told to.

Runs in an empty WASI world: what it prints belongs in the plugin's log, there is no environment and no file, and a sleep ends
with the call's budget at the latest.

Setting: `sleepSeconds`, how long to sleep before answering (0 without it).
"""

import json
import os
import sys
import time

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.configuration import Problem
from wit_world.exports.health_check import Finding, Severity
from wit_world.imports import settings


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
            if key != "sleepSeconds":
                problems.append(Problem(key, f"unknown field `{key}`, expected `sleepSeconds`"))
            elif type(value) not in (int, float) or value < 0:
                problems.append(Problem(key, "expected a number of seconds from 0"))
        return problems


class HealthCheck(exports.HealthCheck):
    def check(self, cluster, newcomer):
        # Any exception but Err traps, and its text is lost.
        try:
            return findings(cluster)
        except Exception as error:
            raise Err(repr(error))


def findings(cluster):
    seconds = json.loads(settings.get()).get("sleepSeconds", 0)
    print(f"looking at {len(cluster.members())} members")
    print("this goes to standard error", file=sys.stderr)
    if seconds:
        print(f"sleeping for {seconds} s")
        time.sleep(seconds)
        print("awake")
    saw = [
        ("python-environment", f"{len(os.environ)} environment variables"),
        ("python-files", files()),
    ]
    return [Finding(Severity.INFO, code, message, None, None) for code, message in saw]


def files():
    try:
        return f"{len(os.listdir('/'))} entries in /"
    except OSError as error:
        return f"no files: {error.strerror}"
