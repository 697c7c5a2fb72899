package sangam_test

import (
	"errors"
	"fmt"
	"time"

	sangam "sangam/sdk"
)

func ExampleRejectf() {
	missing := errors.New("no such order")
	err := fmt.Errorf("order 4711: %w", sangam.Rejectf("%w; was it cancelled?", missing))

	var failure *sangam.Failure
	fmt.Println(errors.As(err, &failure), failure.Kind, errors.Is(err, missing))
	fmt.Println(sangam.AsFailure(err).Reason)
	// Output:
	// true rejected true
	// order 4711: no such order; was it cancelled?
}

func ExampleRetryf() {
	failure := sangam.Retryf("QuickBooks holds invoice %s locked", "42").WithAfter(5 * time.Second).WithDetails(map[string]string{"code": "5010"})
	fmt.Println(failure.Kind, failure.After, failure)
	// Output: retry 5s QuickBooks holds invoice 42 locked
}

func ExampleEncode() {
	fmt.Println("https://api.example/contacts/" + sangam.Encode("ada+1@example.com"))
	// Output: https://api.example/contacts/ada%2B1%40example.com
}
