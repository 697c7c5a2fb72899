package sangam

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sangam/sdk/internal/core"
)

// excerptBytes is how much of a body a failure quotes.
const excerptBytes = 2048

// Response is a complete answer, of whatever status.
type Response struct {
	Status int
	// Body is as it came.
	Body []byte

	headers []core.Header
	// to names method and URL in failures.
	to string
}

// NewResponse is for the other packages of the SDK.
func NewResponse(to string, answer core.Response) *Response {
	return &Response{Status: int(answer.Status), Body: answer.Body, headers: answer.Headers, to: to}
}

// OK is nil for a success (2xx), else the failure that HTTP says it is:
//
//	401              Unauthorized
//	408, 425, 5xx    Retry, after Retry-After
//	429              RateLimited, after Retry-After
//	all others       Rejected
//
// Each has the status and the start of the body in its details. Where a system has its own ways, match those first and fall back
// on this.
func (r *Response) OK() error {
	kind := Rejected
	switch {
	case r.Status >= 200 && r.Status <= 299:
		return nil
	case r.Status == 401:
		kind = Unauthorized
	case r.Status == 429:
		kind = RateLimited
	case r.Status == 408, r.Status == 425, r.Status >= 500 && r.Status <= 599:
		kind = Retry
	}
	failure := &Failure{Kind: kind, Reason: fmt.Sprintf("%s answered %d", r.to, r.Status)}
	return failure.WithResponse(r)
}

// Into reads the body's JSON into a type of yours; members it does not know are passed over. What does not fit is rejected, with the
// path of the field.
func (r *Response) Into(target any) error {
	if err := parse(r.Body, "the answer of "+r.to+": body", target); err != nil {
		return AsFailure(err).WithResponse(r)
	}
	return nil
}

// Text is the body as text; what is not UTF-8 is replaced.
func (r *Response) Text() string { return strings.ToValidUTF8(string(r.Body), "\uFFFD") }

// Header is the first header of that name, or nothing.
func (r *Response) Header(name string) string {
	for _, header := range r.headers {
		if strings.EqualFold(header.Name, name) {
			return string(header.Value)
		}
	}
	return ""
}

// RetryAfter is how long Retry-After asks to wait: seconds, or a date on the clock that the plugin sees. 0 where it does not.
func (r *Response) RetryAfter() time.Duration {
	value := strings.TrimSpace(r.Header("retry-after"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	// RFC 9110, section 5.6.7: one form to write, two more to read
	for _, layout := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		if date, err := time.Parse(layout, value); err == nil {
			return max(0, time.Until(date))
		}
	}
	return 0
}

// excerpt is the start of the body, for people.
func (r *Response) excerpt() string {
	if len(r.Body) <= excerptBytes {
		return r.Text()
	}
	end := excerptBytes
	for end > excerptBytes-utf8.UTFMax && !utf8.RuneStart(r.Body[end]) {
		end--
	}
	return strings.ToValidUTF8(string(r.Body[:end]), "\uFFFD") + "…"
}
