# The same decision as exec-hook.rs, in the language that hooks are often written in.
import json
import sys


def judge(question):
    settings, window = question["settings"], question["window"]
    if not window:
        return {"verdict": "wait", "reason": "no sample yet"}
    last, count = window[-1], 0
    for sample in reversed(window):
        lag = max(0, sample["leaderIndex"] - sample["appliedIndex"])
        same = sample["leader"] == last["leader"] and sample["term"] == last["term"]
        if not (sample["reachable"] and sample["leader"] and same and lag <= settings["maxLag"]):
            break
        count += 1
        if count >= settings["samples"] and last["atMs"] - sample["atMs"] >= settings["forMs"]:
            return {"verdict": "approve"}
    return {"verdict": "wait", "reason": "not steady for long enough"}


print(json.dumps(judge(json.load(sys.stdin))))
