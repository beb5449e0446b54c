//go:build wasm

package http

import (
	"runner.dev/plugin/internal/host"
	"runner.dev/plugin/internal/types"
	wit "runner.dev/plugin/internal/wit/runner_plugin_http"
)

func send(request Request) (*Response, error) {
	asked := wit.Request{Method: request.Method, Url: request.URL, Body: request.Body}
	for _, header := range request.Headers {
		asked.Headers = append(asked.Headers, wit.Header(header))
	}
	if ms := request.Timeout.Milliseconds(); ms > 0 {
		asked.TimeoutMs = types.Some(uint32(min(ms, 1<<32-1)))
	}
	answer, err := host.Take(wit.Send(asked))
	if err != nil {
		return nil, err
	}
	response := &Response{Status: int(answer.Status), Body: answer.Body}
	for _, header := range answer.Headers {
		response.Headers = append(response.Headers, Header(header))
	}
	return response, nil
}
