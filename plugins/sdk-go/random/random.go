// Package random has random bytes of the host's: recorded with the run, so not for keys. It is the capability `random`.
//
// Importing it, if only by its name, also feeds crypto/rand, and with it everything that asks crypto/rand.
package random

// Bytes are n random bytes.
func Bytes(n int) []byte {
	all := make([]byte, 0, n)
	for len(all) < n {
		all = append(all, bytes(min(n-len(all), most))...)
	}
	return all
}

// most is what the host hands out at once.
const most = 4096
