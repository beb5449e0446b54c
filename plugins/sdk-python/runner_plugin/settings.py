"""Settings against their table: `{"maxLag": {"default": 100, "min": 0}}`. The default says the type."""

import json

EXPECTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list", dict: "an object"}


def wrong(value, rule):
    """What is wrong with one value; None where nothing is."""
    kind = type(rule["default"])
    # JSON has one kind of number: 5.0 is a whole one, and 5 does where fractions are allowed. `True` is no number.
    number = type(value) in (int, float)
    whole = number and value == value and value not in (float("inf"), float("-inf")) and value == int(value)
    fits = {int: whole, float: number}.get(kind, type(value) is kind)
    if not fits:
        return f"expected {EXPECTED.get(kind, kind.__name__)}, not {json.dumps(value)}"
    low, high = rule.get("min"), rule.get("max")
    if number and ((low is not None and value < low) or (high is not None and value > high)):
        if high is None:
            return f"{value} is less than {low}"
        if low is None:
            return f"{value} is more than {high}"
        return f"{value} is not in {low} to {high}"
    if "oneOf" in rule and value not in rule["oneOf"]:
        return f"{json.dumps(value)} is not one of {', '.join(map(str, rule['oneOf']))}"
    return None


def read(text, table):
    """The settings with their defaults, and everything that is wrong with them as pairs of path and message."""
    try:
        given = json.loads(text)
    except ValueError as error:
        return {}, [("", f"not JSON: {error}")]
    if not isinstance(given, dict):
        return {}, [("", "expected a JSON object")]
    values = {name: rule["default"] for name, rule in table.items()}
    problems = []
    for name, value in given.items():
        if name not in table:
            names = ", ".join(f"`{known}`" for known in table)
            known = f"expected one of {names}" if table else "there are no settings"
            problems.append((name, f"unknown field `{name}`, {known}"))
            continue
        message = wrong(value, table[name])
        if message:
            problems.append((name, message))
        else:
            values[name] = int(value) if type(table[name]["default"]) is int else value
    return values, problems
