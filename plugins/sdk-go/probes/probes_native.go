//go:build !wasm

package probes

import "runner.dev/plugin/internal/failure"

// Probe is what measures, in tests.
type Probe interface {
	Fsync(directory string, writes int) (Latency, error)
	DiskSpace(path string) (Space, error)
	Memory() (Space, error)
	Connect(url string, times int) (Latency, error)
	PathMTU(url string) (int, error)
	ClockOffsetOf(url string) (ClockOffset, error)
	Certificates(path string) ([]Certificate, error)
	CertificatesOf(url string) ([]Certificate, error)
}

// NoProbe measures nothing; embed it in a fake that has some of the measurements.
type NoProbe struct{}

// Fake answers in tests.
func Fake(with Probe) { probe = with }

var probe Probe = NoProbe{}

var errNoHost = failure.NoHost("probes.Fake")

func (NoProbe) Fsync(string, int) (Latency, error)           { return Latency{}, errNoHost }
func (NoProbe) DiskSpace(string) (Space, error)              { return Space{}, errNoHost }
func (NoProbe) Memory() (Space, error)                       { return Space{}, errNoHost }
func (NoProbe) Connect(string, int) (Latency, error)         { return Latency{}, errNoHost }
func (NoProbe) PathMTU(string) (int, error)                  { return 0, errNoHost }
func (NoProbe) ClockOffsetOf(string) (ClockOffset, error)    { return ClockOffset{}, errNoHost }
func (NoProbe) Certificates(string) ([]Certificate, error)   { return nil, errNoHost }
func (NoProbe) CertificatesOf(string) ([]Certificate, error) { return nil, errNoHost }
