"""Health check: enough voters may still be lost, and every voter answers."""

from runner_plugin import finding

# What an operator can set: the default says the type.
SETTINGS = {
    # How many voters the cluster must be able to lose before this node joins.
    "minFaultTolerance": {"default": 0, "min": 0},
}


def health_check(cluster, newcomer, settings):
    """Returns what is worth saying; one finding of severity `error` refuses the join."""
    found = [
        finding("warning", "voter-silent", f"{member.name() or member.id()} does not answer", member=member.id())
        for member in cluster.members()
        if member.role() == "voter" and not member.reachable()
    ]
    tolerance, wanted = cluster.fault_tolerance(), settings["minFaultTolerance"]
    if tolerance < wanted:
        message = f"the cluster can lose {tolerance} voters, at least {wanted} are asked for"
        found.append(finding("error", "fault-tolerance", message, remedy="bring the missing voters back first"))
    return found
