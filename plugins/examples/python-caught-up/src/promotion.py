"""Promotion: the candidate has caught up once its newest samples are close to one and the same leader."""

from runner_plugin import approve, reject, wait

# A term is an election; so many in one window and the cluster is not fit for another voter.
MOST_TERMS = 5

# What an operator can set: the default says the type.
SETTINGS = {
    # How many entries behind is close enough.
    "maxLag": {"default": 100, "min": 0},
    # How many of the newest samples must be good.
    "samples": {"default": 5, "min": 2, "max": 100},
}


def promotion(cluster, candidate, window, settings):
    """Asked again with every sample. The same samples and settings must give the same verdict."""
    max_lag, wanted = settings["maxLag"], settings["samples"]
    if len(window) > 0:
        terms = window[-1].term() - window[0].term()
        if terms > MOST_TERMS:
            return reject(f"elections all the time: {terms} terms")
    if len(window) < wanted:
        return wait(f"{len(window)} of {wanted} samples", 500)

    newest_first = window[-wanted:][::-1]
    if not all(sample.reachable() for sample in newest_first):
        return wait("does not answer", 500)

    for sample in newest_first:
        if sample.lag() > max_lag:
            return wait(f"{sample.lag()} entries behind, at most {max_lag} allowed", 500)

    leaders = {sample.leader() for sample in newest_first}
    if len(leaders) != 1 or None in leaders:
        return wait("the leader changed", 500)
    return approve()
