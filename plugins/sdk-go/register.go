package plugin

import "time"

// HealthCheck registers the function that answers: is the cluster healthy enough for this node to join? No findings are a clean
// bill of health; an error says that the check itself could not be done.
//
// Call it from an init function.
func HealthCheck(check func(cluster *Cluster, newcomer *Newcomer) ([]Finding, error)) {
	registerHealthCheck(check)
}

// Promotion registers the function that answers: has the learner caught up enough to become a voter? It is asked again with every
// sample, and must depend on its arguments, the settings and [Now] only: the same inputs give the same verdict.
//
// Call it from an init function.
func Promotion(judge func(cluster *Cluster, candidate *Member, window *Samples) (Verdict, error)) {
	registerPromotion(judge)
}

// Notifier registers the function that tells somebody what happened. The events are in order, oldest first.
//
// Call it from an init function.
func Notifier(notify func(events []Event) error) { registerNotifier(notify) }

func fromMs(ms uint64) time.Time { return time.UnixMilli(int64(ms)).UTC() }
