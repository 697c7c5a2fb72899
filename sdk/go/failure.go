package sangam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"sangam/sdk/internal/core"
)

// Kind answers one question: try again, or never?
type Kind uint8

const (
	// Retry may work later. It uses up one attempt of the step's policy.
	Retry = Kind(core.Retry)
	// RateLimited means that the system asks for patience. It uses up no attempt.
	RateLimited = Kind(core.RateLimited)
	// Unauthorized means that the credential was refused. The host renews it once; then the step is paused until it is mended.
	Unauthorized = Kind(core.Unauthorized)
	// Rejected can't be helped by trying again.
	Rejected = Kind(core.Rejected)
)

// String gives the kind its name in the contract.
func (k Kind) String() string {
	return [...]string{"retry", "rate-limited", "unauthorized", "rejected"}[k]
}

// Failure is an error that says whether to try again. People read it in the timeline of the run: say in one sentence what was
// tried, what the system answered and, where it is known, what to do.
//
//	return out, sangam.Retryf("QuickBooks holds invoice %s locked", id).WithAfter(5 * time.Second)
//
// It may be wrapped as usual, fmt.Errorf("invoice %s: %w", id, err): the kind stays, the sentence is the whole error's. An error
// without a Failure in it counts as Retry, but one of encoding/json as Rejected.
type Failure struct {
	Kind Kind
	// Reason is one sentence; at most 4 KiB are kept.
	Reason string
	// After says when trying again makes sense; 0 leaves it to the step's retry policy.
	After time.Duration
	// Details becomes JSON: whatever helps to understand the failure, such as the vendor's error code, the field, a correlation id.
	// Never a secret. At most 64 KiB are kept.
	Details any

	cause error
}

// Retryf makes a failure that may work later: a time-out, a 5xx, a lock held elsewhere. It formats as fmt.Errorf does, %w included.
func Retryf(format string, a ...any) *Failure { return failuref(Retry, format, a) }

// RateLimitedf makes a failure of a system that asks for patience: 429, or its own way of saying so.
func RateLimitedf(format string, a ...any) *Failure { return failuref(RateLimited, format, a) }

// Unauthorizedf makes a failure of a credential that was refused (401).
func Unauthorizedf(format string, a ...any) *Failure { return failuref(Unauthorized, format, a) }

// Rejectf makes a failure that trying again can't help: the input is wrong, the record does not exist, a rule of the system
// forbids it.
func Rejectf(format string, a ...any) *Failure { return failuref(Rejected, format, a) }

func failuref(kind Kind, format string, a []any) *Failure {
	err := fmt.Errorf(format, a...)
	return &Failure{Kind: kind, Reason: err.Error(), cause: err}
}

// WithAfter says when trying again makes sense.
func (f *Failure) WithAfter(delay time.Duration) *Failure {
	f.After = delay
	return f
}

// WithDetails adds data for whoever has to understand the failure.
func (f *Failure) WithDetails(details any) *Failure {
	f.Details = details
	return f
}

// WithResponse adds the status and the start of the body of the answer that the failure follows from, and waits as long as the
// answer asks for in Retry-After.
func (f *Failure) WithResponse(response *Response) *Failure {
	if f.After == 0 {
		f.After = response.RetryAfter()
	}
	return f.WithDetails(map[string]any{"status": response.Status, "body": response.excerpt()})
}

// Error is the reason.
func (f *Failure) Error() string { return f.Reason }

// Unwrap gives what was wrapped with %w.
func (f *Failure) Unwrap() error { return errors.Unwrap(f.cause) }

// AsFailure gives the failure that the host is told of an error.
func AsFailure(err error) *Failure {
	reason := err.Error()
	if core.Sentence != nil {
		reason = core.Sentence(err)
	}
	var failure *Failure
	if errors.As(err, &failure) {
		if reason == failure.Reason {
			return failure
		}
		whole := *failure
		whole.Reason = reason
		return &whole
	}
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	var unsupported *json.UnsupportedValueError
	var encoding *json.MarshalerError
	if errors.As(err, &syntax) || errors.As(err, &shape) || errors.As(err, &unsupported) || errors.As(err, &encoding) {
		return &Failure{Kind: Rejected, Reason: reason, cause: err}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Failure{Kind: Retry, Reason: "not done in time: " + reason, cause: err}
	}
	return &Failure{Kind: Retry, Reason: reason, cause: err}
}

// WireFailure is for the other packages of the SDK.
func WireFailure(err error) *core.Failure {
	failure := AsFailure(err)
	wire := &core.Failure{Case: core.FailureCase(failure.Kind), Reason: failure.Reason}
	if failure.After > 0 {
		wire.HasAfter = true
		wire.AfterMS = uint64(math.Ceil(float64(failure.After) / float64(time.Millisecond)))
	}
	if failure.Details != nil {
		details, err := json.Marshal(failure.Details)
		if err != nil {
			details, _ = json.Marshal(map[string]string{"details": "can't be made into JSON: " + err.Error()})
		}
		wire.Details = string(details)
	}
	return wire
}
