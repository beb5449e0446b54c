//go:build wasm

package probes

import (
	"time"

	"runner.dev/plugin/internal/host"
	wit "runner.dev/plugin/internal/wit/runner_plugin_probes"
)

var probe fromHost

type fromHost struct{}

func (fromHost) Fsync(directory string, writes int) (Latency, error) {
	l, err := host.Take(wit.Fsync(directory, uint32(writes)))
	return latency(l), err
}

func (fromHost) DiskSpace(path string) (Space, error) {
	s, err := host.Take(wit.DiskSpace(path))
	return Space(s), err
}

func (fromHost) Memory() (Space, error) {
	s, err := host.Take(wit.Memory())
	return Space(s), err
}

func (fromHost) Connect(url string, times int) (Latency, error) {
	l, err := host.Take(wit.Connect(url, uint32(times)))
	return latency(l), err
}

func (fromHost) PathMTU(url string) (int, error) {
	mtu, err := host.Take(wit.PathMtu(url))
	return int(mtu), err
}

func (fromHost) ClockOffsetOf(url string) (ClockOffset, error) {
	o, err := host.Take(wit.ClockOffsetOf(url))
	return ClockOffset{time.Duration(o.EarliestMs) * time.Millisecond, time.Duration(o.LatestMs) * time.Millisecond}, err
}

func (fromHost) Certificates(path string) ([]Certificate, error) {
	found, err := host.Take(wit.Certificates(path))
	return certificates(found), err
}

func (fromHost) CertificatesOf(url string) ([]Certificate, error) {
	found, err := host.Take(wit.CertificatesOf(url))
	return certificates(found), err
}

func latency(l wit.Latency) Latency {
	us := func(n uint32) time.Duration { return time.Duration(n) * time.Microsecond }
	return Latency{int(l.Count), us(l.MinUs), us(l.MedianUs), us(l.P90Us), us(l.P99Us), us(l.MaxUs)}
}

func certificates(found []wit.Certificate) []Certificate {
	var all []Certificate
	at := func(ms uint64) time.Time { return time.UnixMilli(int64(ms)).UTC() }
	for _, c := range found {
		all = append(all, Certificate{c.Subject, c.Issuer, at(c.NotBeforeMs), at(c.NotAfterMs), c.Names, c.Authority})
	}
	return all
}
