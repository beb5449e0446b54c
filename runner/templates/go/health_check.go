package main

import (
	"fmt"

	"runner.dev/plugin"
)

// reserve is what an operator can set: enough voters may still be lost, and every voter answers.
type reserve struct {
	// How many voters the cluster must be able to lose before this node joins.
	MinFaultTolerance uint `json:"minFaultTolerance"`
}

var wanted = plugin.Settings(reserve{})

func init() { plugin.HealthCheck(check) }

// check returns what is worth saying; one finding of the severity plugin.Error refuses the join.
func check(cluster *plugin.Cluster, _ *plugin.Newcomer) ([]plugin.Finding, error) {
	var found []plugin.Finding
	for _, member := range cluster.Members() {
		if member.Role() != plugin.Voter || member.Reachable() {
			continue
		}
		name := member.Name()
		if name == "" {
			name = member.ID()
		}
		found = append(found, plugin.Finding{
			Severity: plugin.Warning, Code: "voter-silent", Message: name + " does not answer", Member: member.ID(),
		})
	}
	if tolerance, least := cluster.FaultTolerance(), wanted().MinFaultTolerance; uint(tolerance) < least {
		found = append(found, plugin.Finding{
			Severity: plugin.Error,
			Code:     "fault-tolerance",
			Message:  fmt.Sprintf("the cluster can lose %d voters, at least %d are asked for", tolerance, least),
			Remedy:   "bring the missing voters back first",
		})
	}
	return found, nil
}
