"""The `configuration` export."""

from wit_world import exports
from wit_world.exports.configuration import Problem

from .guest import problems_of


def export(modules):
    """The export of a plugin whose roles are these modules."""

    class Configuration(exports.Configuration):
        def validate(self, settings):
            return [Problem(path, message) for path, message in problems_of(modules, settings)]

    return Configuration
