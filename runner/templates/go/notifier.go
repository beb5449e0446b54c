package main

import "runner.dev/plugin"

// words is what an operator can set: how the run's log says what happened.
type words struct {
	// Put before every message.
	Prefix string `json:"prefix"`
}

var said = plugin.Settings(words{Prefix: "runner"})

func init() { plugin.Notifier(notify) }

// notify is told what happened, oldest first. New kinds may appear in any release: ignore those that you do not know.
func notify(events []plugin.Event) error {
	for _, event := range events {
		if event.Kind == "run-started" || event.Kind == "run-finished" {
			plugin.Infof("%s: %s %s", said().Prefix, event.Kind, event.JSON)
		}
	}
	return nil
}
