"""The `health-check` export."""

from wit_world import exports
from wit_world.exports import health_check as contract

from . import Finding
from .guest import guarded, settings_of

_SEVERITIES = {
    "info": contract.Severity.INFO,
    "warning": contract.Severity.WARNING,
    "error": contract.Severity.ERROR,
}


def _finding(found):
    if not isinstance(found, Finding) or found.severity not in _SEVERITIES:
        raise TypeError(f"not a finding: {found!r}")
    return contract.Finding(_SEVERITIES[found.severity], found.code, found.message, found.remedy, found.member)


def export(module):
    """The export of a plugin whose health check is this module."""

    def check(cluster, newcomer):
        return [_finding(found) for found in module.health_check(cluster, newcomer, settings_of(module))]

    class HealthCheck(exports.HealthCheck):
        def check(self, cluster, newcomer):
            return guarded(lambda: check(cluster, newcomer))

    return HealthCheck
