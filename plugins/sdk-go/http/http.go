// Package http sends HTTP requests to the hosts, ports and methods that the operator granted. It is the capability `http`.
package http

import "time"

// Header is one line of a header.
type Header struct{ Name, Value string }

// Request is what is sent.
type Request struct {
	// GET, POST, …; empty for GET.
	Method string
	// https://host[:port]/path?query, or http://… where that is granted.
	URL     string
	Headers []Header
	Body    []byte
	// For the whole exchange, redirects included; 0 for what is left of the call's time. Whole milliseconds count.
	Timeout time.Duration
}

// Response is the whole answer.
type Response struct {
	// Any status is an answer: 404 and 500 are no failures.
	Status int
	// Names in lower case.
	Headers []Header
	Body    []byte
}

// Header is the first value of that name (in lower case); empty where there is none.
func (r *Response) Header(name string) string {
	for _, header := range r.Headers {
		if header.Name == name {
			return header.Value
		}
	}
	return ""
}

// Send sends one request and reads its whole answer. Errors are *plugin.Failure.
func Send(request Request) (*Response, error) {
	if request.Method == "" {
		request.Method = "GET"
	}
	return send(request)
}

// Get is Send for the URL alone.
func Get(url string) (*Response, error) { return Send(Request{URL: url}) }
