"""The `notifier` export."""

import json

from wit_world import exports

from . import Event
from .guest import guarded, settings_of


def export(module):
    """The export of a plugin whose notifier is this module."""

    def notify(events):
        read = [Event(event.kind, event.at_ms, json.loads(event.json)) for event in events]
        module.notifier(read, settings_of(module))

    class Notifier(exports.Notifier):
        def notify(self, events):
            guarded(lambda: notify(events))

    return Notifier
