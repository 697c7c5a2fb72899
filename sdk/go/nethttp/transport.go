// Package nethttp makes net/http work in a connector: import it for its effect, and http.DefaultClient, like any library that uses
// it, sends its requests through the host, under the same policy and journal as the requests of [sangam.Context].
//
//	import _ "sangam/sdk/nethttp"
//
// A request that writes should be named, as always: by the header Sangam-Effect-Name, or where a library makes the requests, by its
// context ([WithName]). The header `Sangam-Effect: read` ([ReadOnly]) marks one that only reads. Neither header is sent.
//
// net/http makes a component about 6 MB larger, and its start slower: without a library that wants it, use the requests of
// [sangam.Context].
package nethttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	sangam "sangam/sdk"
	"sangam/sdk/internal/core"
)

const (
	// NameHeader holds the name of a write.
	NameHeader = "Sangam-Effect-Name"
	// EffectHeader is `read` on a request that only reads although its method is a writing one.
	EffectHeader = "Sangam-Effect"
)

// native answers requests in tests that don't belong to a call of the plugin.
var native = http.DefaultTransport

func init() {
	http.DefaultTransport = Transport{}
	core.Sentence = sentence
}

// sentence is what an error says, without the query of the URL that net/http quotes: it may hold personal data.
func sentence(err error) string {
	reason := err.Error()
	var request *url.Error
	if errors.As(err, &request) {
		reason = strings.ReplaceAll(reason, request.URL, withoutQuery(request.URL))
	}
	return reason
}

// Transport is what http.DefaultTransport is set to: for clients of your own.
type Transport struct{}

type nameKey struct{}
type readKey struct{}

// WithName names the one write that is made with the context.
func WithName(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, nameKey{}, name)
}

// ReadOnly says of the requests that are made with the context that they only read, whatever their method. The administrator has to
// agree: list them in [sangam.About].ReadOnly.
func ReadOnly(ctx context.Context) context.Context { return context.WithValue(ctx, readKey{}, true) }

// RoundTrip sends a request and waits for the whole answer. Its errors are failures ([sangam.Failure]), within the *url.Error that
// net/http makes of them.
func (Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	host, within := request.Context().Value(core.HostKey{}).(core.Host)
	if !within {
		host = core.Component
	}
	if host == nil {
		return native.RoundTrip(request)
	}
	wire, err := wireRequest(request)
	if err != nil {
		return nil, err
	}
	to := wire.Method + " " + strings.TrimSuffix(withoutQuery(wire.URL), "?")
	answer, failed := host.Send(wire)
	if failed != nil {
		return nil, sangam.Unanswered(to, failed)
	}
	header := http.Header{}
	for _, one := range answer.Headers {
		header.Add(one.Name, string(one.Value))
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", answer.Status, http.StatusText(int(answer.Status))),
		StatusCode: int(answer.Status),
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(answer.Body)),
		ContentLength: int64(len(answer.Body)),
		Request:       request,
	}, nil
}

// OK is nil for a success (2xx), else the failure that HTTP says it is, as [sangam.Response].OK. It reads the body of an answer that
// is none.
func OK(response *http.Response) error {
	if response.StatusCode >= 200 && response.StatusCode <= 299 {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	to := "the request"
	if made := response.Request; made != nil {
		to = made.Method + " " + withoutQuery(made.URL.String())
	}
	answer := core.Response{Status: uint16(response.StatusCode), Body: body}
	for name, values := range response.Header {
		for _, value := range values {
			answer.Headers = append(answer.Headers, core.Header{Name: name, Value: []byte(value)})
		}
	}
	return sangam.NewResponse(to, answer).OK()
}

func wireRequest(request *http.Request) (core.Request, error) {
	target := *request.URL
	target.Fragment, target.User = "", nil
	wire := core.Request{Method: request.Method, URL: target.String()}
	if wire.Method == "" {
		wire.Method = http.MethodGet
	}
	if request.Body != nil {
		body, err := io.ReadAll(request.Body)
		if err := errors.Join(err, request.Body.Close()); err != nil {
			return core.Request{}, err
		}
		wire.Body = body
	}
	for _, name := range slices.Sorted(maps.Keys(request.Header)) {
		values := request.Header[name]
		switch name {
		case NameHeader:
			wire.Name = values[0]
		case EffectHeader:
			wire.ReadOnly = values[0] == "read"
		default:
			for _, value := range values {
				wire.Headers = append(wire.Headers, core.Header{Name: name, Value: []byte(value)})
			}
		}
	}
	if name, ok := request.Context().Value(nameKey{}).(string); ok && wire.Name == "" {
		wire.Name = name
	}
	if request.Context().Value(readKey{}) != nil {
		wire.ReadOnly = true
	}
	if user := request.URL.User; user != nil && request.Header.Get("Authorization") == "" {
		return core.Request{}, sangam.Rejectf("%s: no user information in URLs: the host attaches credentials", withoutQuery(target.String()))
	}
	if until, ok := request.Context().Deadline(); ok {
		wire.TimeoutMS = uint64(max(1, time.Until(until).Milliseconds()))
	}
	return wire, nil
}

func withoutQuery(url string) string {
	short, _, _ := strings.Cut(url, "?")
	return short
}
