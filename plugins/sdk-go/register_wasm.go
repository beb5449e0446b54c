//go:build wasm

package plugin

import (
	"errors"

	"runner.dev/plugin/internal/registry"
	"runner.dev/plugin/internal/types"
	configuration "runner.dev/plugin/internal/wit/runner_plugin_configuration"
	facts "runner.dev/plugin/internal/wit/runner_plugin_facts"
	health "runner.dev/plugin/internal/wit/runner_plugin_health_check"
	notifier "runner.dev/plugin/internal/wit/runner_plugin_notifier"
	promotion "runner.dev/plugin/internal/wit/runner_plugin_promotion"
)

// By these the build sees which roles a program has. They do nothing.
//
//go:wasmimport wasi_snapshot_preview1 runner_health_check
func hasHealthCheck()

//go:wasmimport wasi_snapshot_preview1 runner_promotion
func hasPromotion()

//go:wasmimport wasi_snapshot_preview1 runner_notifier
func hasNotifier()

func init() {
	registry.Validate = func(settings string) []configuration.Problem {
		var problems []configuration.Problem
		for _, p := range validateSettings(settings) {
			problems = append(problems, configuration.Problem{Path: p.Path, Message: p.Message})
		}
		return problems
	}
}

func registerHealthCheck(check func(*Cluster, *Newcomer) ([]Finding, error)) {
	hasHealthCheck()
	registry.HealthCheck = func(c *facts.Cluster, n *facts.Newcomer) ([]health.Finding, error) {
		if err := loadSettings(); err != nil {
			return nil, err
		}
		found, err := check(&Cluster{from: hostCluster{c}}, &Newcomer{hostNewcomer{n}})
		if err != nil {
			return nil, err
		}
		findings := make([]health.Finding, len(found))
		for i, f := range found {
			if f.Severity > Error {
				return nil, errors.New("the finding " + f.Code + " has a severity that there is not")
			}
			findings[i] = health.Finding{
				Severity: health.Severity(f.Severity), Code: f.Code, Message: f.Message,
				Remedy: optional(f.Remedy), Member: optional(f.Member),
			}
		}
		return findings, nil
	}
}

func registerPromotion(judge func(*Cluster, *Member, *Samples) (Verdict, error)) {
	hasPromotion()
	registry.Promotion = func(c *facts.Cluster, m *facts.Member, s *facts.Samples) (promotion.Verdict, error) {
		if err := loadSettings(); err != nil {
			return promotion.Verdict{}, err
		}
		v, err := judge(&Cluster{from: hostCluster{c}}, &Member{hostMember{m}}, &Samples{hostSamples{s}})
		switch {
		case err != nil:
			return promotion.Verdict{}, err
		case v.kind == approve:
			return promotion.MakeVerdictApprove(), nil
		case v.kind == wait:
			info := promotion.WaitInfo{Reason: v.reason}
			if ms := v.retryAfter.Milliseconds(); ms > 0 {
				info.RetryAfterMs = types.Some(uint32(min(ms, 1<<32-1)))
			}
			return promotion.MakeVerdictWait(info), nil
		case v.kind == reject:
			return promotion.MakeVerdictReject(v.reason), nil
		}
		return promotion.Verdict{}, errors.New("the plugin gave no verdict: use plugin.Approve, plugin.Wait or plugin.Reject")
	}
}

func registerNotifier(notify func([]Event) error) {
	hasNotifier()
	registry.Notifier = func(events []notifier.Event) error {
		if err := loadSettings(); err != nil {
			return err
		}
		told := make([]Event, len(events))
		for i, e := range events {
			told[i] = Event{Kind: e.Kind, Time: fromMs(e.AtMs), JSON: e.Json}
		}
		return notify(told)
	}
}

func optional(text string) types.Option[string] {
	if text == "" {
		return types.None[string]()
	}
	return types.Some(text)
}
