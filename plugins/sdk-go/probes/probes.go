// Package probes measures on this node, and the way from it to others, on the paths and targets that the operator granted. It is
// the capability `probes`. All errors are *plugin.Failure.
package probes

import "time"

// Latency is what several measurements of the same thing gave.
type Latency struct {
	Count                      int
	Min, Median, P90, P99, Max time.Duration
}

// Space is room, in bytes.
type Space struct{ Total, Available uint64 }

// ClockOffset says that this node's clock minus another's lies between the two. Negative: this node is behind.
type ClockOffset struct{ Earliest, Latest time.Duration }

// Certificate is a certificate, without its key.
type Certificate struct {
	Subject, Issuer     string
	NotBefore, NotAfter time.Time
	// DNS names and IP addresses that it is good for.
	Names []string
	// Whether it may sign others.
	Authority bool
}

// Fsync writes and syncs that many (1 to 1000) records of etcd's typical size in a file of its own in this directory, removes the
// file, and says how long each took.
func Fsync(directory string, writes int) (Latency, error) { return probe.Fsync(directory, writes) }

// DiskSpace is the file system that holds this path.
func DiskSpace(path string) (Space, error) { return probe.DiskSpace(path) }

// Memory is this node's main memory.
func Memory() (Space, error) { return probe.Memory() }

// Connect opens that many (1 to 100) connections to the URL's host and port, one after another, and says how long each took: TCP
// for http, TCP and TLS for https.
func Connect(url string, times int) (Latency, error) { return probe.Connect(url, times) }

// PathMTU is the largest IP packet that gets to the URL's host in one piece, as far as this node's kernel knows, in bytes.
func PathMTU(url string) (int, error) { return probe.PathMTU(url) }

// ClockOffsetOf compares this node's clock with that of an etcd member, by its client or peer URL. Takes up to two seconds.
func ClockOffsetOf(url string) (ClockOffset, error) { return probe.ClockOffsetOf(url) }

// Certificates are those in a PEM file, in its order.
func Certificates(path string) ([]Certificate, error) { return probe.Certificates(path) }

// CertificatesOf are those that the URL's host shows, its own first. They are looked at, not trusted.
func CertificatesOf(url string) ([]Certificate, error) { return probe.CertificatesOf(url) }
