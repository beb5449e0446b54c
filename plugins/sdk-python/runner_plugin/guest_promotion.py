"""The `promotion` export."""

from wit_world import exports
from wit_world.exports.promotion import Verdict_Approve, Verdict_Reject, Verdict_Wait, WaitInfo

from . import Approve, Reject, Wait
from .guest import Samples, guarded, settings_of


def export(module):
    """The export of a plugin whose promotion criterion is this module."""

    def judge(cluster, candidate, window):
        verdict = module.promotion(cluster, candidate, Samples(window), settings_of(module))
        match verdict:
            case Approve():
                return Verdict_Approve()
            case Wait(reason, after) if after is None or (type(after) is int and 0 <= after < 2**32):
                return Verdict_Wait(WaitInfo(str(reason), after))
            case Reject(reason):
                return Verdict_Reject(str(reason))
        raise TypeError(f"promotion must return approve(), wait(…) or reject(…), not {verdict!r}")

    class Promotion(exports.Promotion):
        def evaluate(self, cluster, candidate, window):
            return guarded(lambda: judge(cluster, candidate, window))

    return Promotion
