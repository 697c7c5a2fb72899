package sangam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sangam/sdk/internal/core"
)

// Write is a request that is not named yet. A write has a name, which stands for it on every attempt; within a loop the name holds
// the record's own id (`note/4711`), never its position.
//
//	var made Invoice
//	err := ctx.Post(base + "/invoices").Name("invoice").JSON(body).Into(&made)
type Write struct{ request *Request }

// Name is what this write is called among those of its step; at most 256 bytes.
func (w *Write) Name(name string) *Request {
	w.request.wire.Name = name
	return w.request
}

// Namef is Name of a formatted text.
func (w *Write) Namef(format string, a ...any) *Request { return w.Name(fmt.Sprintf(format, a...)) }

// ReadOnly says that this request only reads, although its method is a writing one. It goes out on every attempt. The administrator
// has to agree: list it in [About].ReadOnly.
func (w *Write) ReadOnly() *Request {
	w.request.wire.ReadOnly = true
	return w.request
}

// Unnamed leaves the write without a name. It is then known by its method, URL and body, which must come out the same on every
// attempt, or the run is dead as `diverged`.
func (w *Write) Unnamed() *Request { return w.request }

// Request is a request, ready to be sent. The host attaches credential and idempotency key, and follows no redirect.
type Request struct {
	host core.Host
	wire core.Request
	// broken is what went wrong while it was put together; told by Send, so that building reads in one breath.
	broken error
}

func newRequest(host core.Host, method, url string) *Request {
	return &Request{host: host, wire: core.Request{Method: method, URL: url}}
}

// Query adds name=value to the query, percent-encoded.
func (r *Request) Query(name string, value any) *Request {
	mark := "?"
	if strings.Contains(r.wire.URL, "?") {
		mark = "&"
	}
	r.wire.URL += mark + Encode(name) + "=" + Encode(value)
	return r
}

// Header sets a header, in place of one of that name.
func (r *Request) Header(name, value string) *Request {
	kept := r.wire.Headers[:0]
	for _, header := range r.wire.Headers {
		if !strings.EqualFold(header.Name, name) {
			kept = append(kept, header)
		}
	}
	r.wire.Headers = append(kept, core.Header{Name: name, Value: []byte(value)})
	return r
}

// JSON is the body as JSON, and its content type unless one is set.
func (r *Request) JSON(body any) *Request {
	text, err := encode(body)
	if err != nil {
		r.broken = Rejectf("%s can't be sent: %w", r.to(), err)
	}
	r.wire.Body = text
	return r.contentType("application/json")
}

// Form is the body as a form, and its content type unless one is set. It takes a url.Values as well; names come in order.
func (r *Request) Form(fields map[string][]string) *Request {
	var body strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, value := range fields[name] {
			if body.Len() > 0 {
				body.WriteByte('&')
			}
			body.WriteString(Encode(name) + "=" + Encode(value))
		}
	}
	r.wire.Body = []byte(body.String())
	return r.contentType("application/x-www-form-urlencoded")
}

// Text is the body as text, and its content type (text/plain) unless one is set.
func (r *Request) Text(body string) *Request {
	r.wire.Body = []byte(body)
	return r.contentType("text/plain; charset=utf-8")
}

// Body is the body as it is; say in a header what it is.
func (r *Request) Body(body []byte) *Request {
	r.wire.Body = body
	return r
}

// Timeout is for the whole exchange. Without one: what is left of the call's time.
func (r *Request) Timeout(timeout time.Duration) *Request {
	r.wire.TimeoutMS = uint64(max(1, timeout.Milliseconds()))
	return r
}

// Send sends it and waits for the whole answer, of whatever status; [Response].OK judges it.
//
// It fails where there is no answer: as Rejected if policy or the request itself forbids it, else as Retry. A write is then in
// doubt, and goes again under the same key on the next attempt.
func (r *Request) Send() (*Response, error) {
	if r.broken != nil {
		return nil, r.broken
	}
	answer, err := r.host.Send(r.wire)
	if err != nil {
		return nil, Unanswered(r.to(), err)
	}
	return NewResponse(r.to(), answer), nil
}

// Into sends it, wants a success, and reads the answer's JSON into target; nil reads nothing.
func (r *Request) Into(target any) error {
	response, err := r.Send()
	if err != nil {
		return err
	}
	if err := response.OK(); err != nil || target == nil {
		return err
	}
	return response.Into(target)
}

func (r *Request) contentType(value string) *Request {
	for _, header := range r.wire.Headers {
		if strings.EqualFold(header.Name, "content-type") {
			return r
		}
	}
	return r.Header("content-type", value)
}

// to names the request for people: without its query, which may hold personal data.
func (r *Request) to() string {
	url, _, _ := strings.Cut(r.wire.URL, "?")
	url, _, _ = strings.Cut(url, "#")
	return r.wire.Method + " " + url
}

// Unanswered is for the other packages of the SDK.
func Unanswered(to string, err *core.SendError) error {
	switch err.Case {
	case core.Denied:
		return Rejectf("%s is not allowed: %s", to, err.Text)
	case core.InvalidRequest:
		return Rejectf("%s is no valid request: %s", to, err.Text)
	case core.NameUsed:
		return Rejectf("%s: this step has already written `%s`; each write needs its own name", to, err.Text)
	case core.TooManyCalls:
		return Rejectf("%s would be more than the %d requests of one call (`http-calls`)", to, err.Number)
	case core.Timeout:
		return Retryf("%s was not answered in time: %s", to, err.Text)
	case core.Connection:
		return Retryf("%s failed: %s", to, err.Text)
	case core.ResponseTooLarge:
		return Retryf("%s was answered with more than %d bytes (`response-size`)", to, err.Number)
	}
	return Retryf("%s was not sent: %s", to, err.Text)
}

// Encode encodes a value for one segment of a path, or a query: base + "/contacts/" + sangam.Encode(email).
//
// `.` and `..` come out unchanged, since no encoding keeps a server from resolving them: check ids that could be those.
func Encode(value any) string {
	text := fmt.Sprint(value)
	var encoded strings.Builder
	for i := range len(text) {
		c := text[i]
		// the unreserved characters of RFC 3986
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			encoded.WriteByte(c)
		} else {
			fmt.Fprintf(&encoded, "%%%02X", c)
		}
	}
	return encoded.String()
}
