// A plugin of every role that strains Go's run-time: its collector, its goroutines, its clock, its ways to die. The setting `mode`
// says how.
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"runner.dev/plugin"
	_ "runner.dev/plugin/random"
)

type Settings struct {
	Mode string `json:"mode"`
	// How often, and in how many goroutines.
	Rounds     int `json:"rounds"`
	Goroutines int `json:"goroutines"`
}

var settings = plugin.Settings(Settings{Rounds: 10, Goroutines: 8})

// What goroutines of the program's start want to say.
var early = make(chan string, 1)

func init() {
	plugin.HealthCheck(check)
	plugin.Promotion(evaluate)
	plugin.Notifier(notify)
	// It wants to log all the time, also while the host is about to make its call.
	go func() {
		for range early {
			plugin.Debugf("early bird")
		}
	}()
	early <- "now"
}

func main() {}

func check(c *plugin.Cluster, n *plugin.Newcomer) ([]plugin.Finding, error) {
	mode, ok := modes[settings().Mode]
	if !ok {
		return nil, errors.New("there is no mode " + settings().Mode)
	}
	said, err := mode(c, n)
	if err != nil {
		return nil, err
	}
	return []plugin.Finding{{Severity: plugin.Info, Code: "done", Message: said, Remedy: "none", Member: c.Members()[0].ID()}}, nil
}

func evaluate(c *plugin.Cluster, m *plugin.Member, window *plugin.Samples) (plugin.Verdict, error) {
	var lags uint64
	for range settings().Rounds {
		for sample := range window.All() {
			lags += sample.Lag()
			garbage()
		}
	}
	return plugin.Wait("%s: %d in %d", m.Name(), lags, window.Len()), nil
}

// notify looks at a list that the host wrote before the call began.
func notify(events []plugin.Event) error {
	sum := 0
	for round := range settings().Rounds {
		// Answers of the host come while the list is still in use.
		plugin.Debugf("round %d at %d", round, plugin.Now().UnixMilli())
		for i, e := range events {
			var details struct {
				Step string `json:"step"`
			}
			if err := e.Details(&details); err != nil {
				return fmt.Errorf("event %d of %d: %w in %q", i, len(events), err, e.JSON)
			}
			if e.Kind != "step-started" || e.Time.IsZero() {
				return fmt.Errorf("event %d is %q at %s", i, e.Kind, e.Time)
			}
			sum += len(details.Step)
		}
		garbage()
	}
	return fmt.Errorf("%d events, %d letters", len(events), sum)
}

// garbage is work for the collector.
func garbage() {
	sink = make([]byte, 100<<10)
}

var sink []byte

var modes = map[string]func(*plugin.Cluster, *plugin.Newcomer) (string, error){
	"collector": func(c *plugin.Cluster, n *plugin.Newcomer) (string, error) {
		for range settings().Rounds {
			if err := look(c); err != nil {
				return "", err
			}
		}
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		if int(stats.NumGC) < settings().Rounds/10 {
			return "", fmt.Errorf("only %d collections", stats.NumGC)
		}
		return fmt.Sprintf("%d members", len(c.Members())), nil
	},
	"goroutines": func(c *plugin.Cluster, n *plugin.Newcomer) (string, error) {
		var (
			group sync.WaitGroup
			mutex sync.Mutex
			wrong []error
		)
		for range settings().Goroutines {
			group.Add(1)
			go func() {
				defer group.Done()
				for range settings().Rounds {
					if err := look(c); err != nil {
						mutex.Lock()
						wrong = append(wrong, err)
						mutex.Unlock()
					}
					plugin.Debugf("a line of some length, from %s, at %d", n.Name(), plugin.Now().UnixMilli())
				}
			}()
		}
		group.Wait()
		return fmt.Sprintf("%d goroutines", settings().Goroutines), errors.Join(wrong...)
	},
	"sleep": func(c *plugin.Cluster, n *plugin.Newcomer) (string, error) {
		start := time.Now()
		time.Sleep(time.Hour)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		<-ctx.Done()
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		<-ticker.C
		slept := time.Since(start)
		if slept < time.Hour+time.Minute+time.Second {
			return "", fmt.Errorf("only %s", slept)
		}
		return slept.Truncate(time.Minute).String(), nil
	},
	"denied": func(c *plugin.Cluster, n *plugin.Newcomer) (string, error) {
		if fmt.Sprint(os.Args, os.Environ()) != "[plugin] []" {
			return "", fmt.Errorf("%q %q", os.Args, os.Environ())
		}
		if _, err := os.ReadFile("/etc/hostname"); err == nil {
			return "", errors.New("it reads a file")
		}
		if err := os.WriteFile("/tmp/x", nil, 0o600); err == nil {
			return "", errors.New("it writes a file")
		}
		if _, err := net.Dial("tcp", "127.0.0.1:22"); err == nil {
			return "", errors.New("it reaches the network")
		}
		if _, err := net.LookupHost("localhost"); err == nil {
			return "", errors.New("it looks up a name")
		}
		return "nothing", nil
	},
	"random": func(c *plugin.Cluster, n *plugin.Newcomer) (string, error) {
		bytes := make([]byte, 3000)
		if _, err := rand.Read(bytes); err != nil {
			return "", err
		}
		return fmt.Sprintf("%x %x", bytes[:2], bytes[2998:]), nil
	},
	"print": func(c *plugin.Cluster, n *plugin.Newcomer) (string, error) {
		fmt.Println("hello", "world")
		fmt.Print("one ")
		fmt.Print("line\n")
		os.Stderr.WriteString("not text: \xff\xc3( \u20ac \xf0\x9f\x98\x80\n")
		fmt.Println(strings.Repeat("x", 5000))
		plugin.Logger().Warn("slog", "n", 1)
		return "said", nil
	},
	"libraries": func(c *plugin.Cluster, n *plugin.Newcomer) (string, error) {
		return regexp.MustCompile(`n(o+)de`).ReplaceAllString("noode", "$1"), nil
	},
	"error": func(*plugin.Cluster, *plugin.Newcomer) (string, error) { return "", errors.New("I give up") },
	"panic": func(*plugin.Cluster, *plugin.Newcomer) (string, error) {
		var none map[string]int
		none["a"] = 1
		return "", nil
	},
	"exit": func(*plugin.Cluster, *plugin.Newcomer) (string, error) { os.Exit(3); return "", nil },
	"loop": func(*plugin.Cluster, *plugin.Newcomer) (string, error) {
		for {
			sink = nil
		}
	},
	"memory": func(*plugin.Cluster, *plugin.Newcomer) (string, error) { return hoard(nil) },
	"deep":   func(*plugin.Cluster, *plugin.Newcomer) (string, error) { return fmt.Sprint(deep(1)), nil },
	"panic in a goroutine": func(*plugin.Cluster, *plugin.Newcomer) (string, error) {
		go func() { panic("far away") }()
		time.Sleep(time.Second)
		return "", nil
	},
	"deadlock": func(*plugin.Cluster, *plugin.Newcomer) (string, error) {
		close(early)
		var mutex sync.Mutex
		mutex.Lock()
		mutex.Lock()
		return "", nil
	},
	"left behind": func(c *plugin.Cluster, n *plugin.Newcomer) (string, error) {
		// It goes on when the call is over, and must not call the host then.
		go func() {
			for {
				plugin.Debugf("still here")
				runtime.Gosched()
			}
		}()
		return "gone", look(c)
	},
}

// look asks for much and looks whether it is right.
func look(c *plugin.Cluster) error {
	names := make([]string, 0, len(c.Members()))
	for i, m := range c.Members() {
		if want := fmt.Sprintf("node-%d", i+1); m.Name() != want {
			return fmt.Errorf("member %d is %q", i, m.Name())
		}
		if version, ok := m.Version(); !ok || version != "3.5.16" {
			return fmt.Errorf("member %d has version %q", i, version)
		}
		names = append(names, m.ID(), m.PeerURLs()[0])
	}
	text, err := json.Marshal(names)
	if err != nil {
		return err
	}
	var again []string
	if err := json.Unmarshal(text, &again); err != nil || len(again) != len(names) {
		return fmt.Errorf("%d of %d names: %v", len(again), len(names), err)
	}
	big := make([]byte, 1<<20)
	copy(big, text)
	sum := sha256.Sum256(big)
	sink = sum[:]
	return nil
}

func hoard(kept [][]byte) (string, error) {
	for {
		kept = append(kept, make([]byte, 1<<20))
		for i := range kept[len(kept)-1] {
			kept[len(kept)-1][i] = 1
		}
	}
}

func deep(n int) int {
	var pad [100]int
	pad[n%100] = n
	return deep(n+1) + pad[(n+1)%100]
}
