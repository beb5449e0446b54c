"""Notifier: says in the run's log what happened, in the operator's words."""

from runner_plugin import log

# What an operator can set: the default says the type.
SETTINGS = {
    # Put before every message.
    "prefix": {"default": "runner"},
}


def notifier(events, settings):
    """Told what happened, oldest first. New kinds may appear in any release: ignore those that you do not know."""
    for event in events:
        if event.kind in ("run-started", "run-finished"):
            log.info(f"{settings['prefix']}: {event.kind} {event.details}")
