package nethttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sangam "sangam/sdk"
	"sangam/sdk/nethttp"
	"sangam/sdk/sangamtest"
)

type input struct {
	URL  string `json:"url"`
	Name string `json:"name,omitempty"`
}

type output struct {
	Status int `json:"status"`
}

var fetch = sangam.New(sangam.About{Name: "fetch", Title: "Fetch"}, sangam.Action("fetch", "Fetch", func(ctx *sangam.Context[struct{}], in input) (out output, err error) {
	within, cancel := context.WithTimeout(nethttp.WithName(ctx, in.Name), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(within, "POST", in.URL, strings.NewReader(`{"a":1}`))
	if err != nil {
		return out, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return out, err
	}
	defer response.Body.Close()
	out.Status = response.StatusCode
	if err := nethttp.OK(response); err != nil {
		return out, err
	}
	var answer struct{ Status int }
	return out, json.NewDecoder(response.Body).Decode(&answer)
}))

func TestTheUsualClientGoesThroughTheHost(t *testing.T) {
	host := sangamtest.New(t, fetch, func(sent sangamtest.Sent) sangamtest.Answer {
		return sangamtest.JSON(201, map[string]any{"status": 1})
	})
	for host.Attempt = 1; host.Attempt <= 2; host.Attempt++ {
		var out output
		if err := host.Invoke("fetch", input{URL: "https://a.example/b?c=d", Name: "thing"}, &out); err != nil || out.Status != 201 {
			t.Fatalf("%+v %v", out, err)
		}
	}
	if len(host.Sent) != 1 {
		t.Fatalf("a named write that succeeded went out again: %+v", host.Sent)
	}
	if sent := host.Sent[0]; sent.Name != "thing" || sent.Text() != `{"a":1}` || sent.Headers["content-type"] != "application/json" || sent.URL != "https://a.example/b?c=d" {
		t.Errorf("%+v", sent)
	}
}

func TestErrorsOfTheClientAreFailuresThatShowNoQuery(t *testing.T) {
	for want, answer := range map[string]sangamtest.Answer{
		`Post "https://a.example/b": POST https://a.example/b failed: reset`:            sangamtest.NoAnswer("reset"),
		`Post "https://a.example/b": POST https://a.example/b is not allowed: not here`: sangamtest.Denied("not here"),
		`POST https://a.example/b answered 503`:                                         sangamtest.Text(503, ""),
	} {
		host := sangamtest.New(t, fetch, func(sangamtest.Sent) sangamtest.Answer { return answer })
		err := host.Invoke("fetch", input{URL: "https://a.example/b?name=Ada"}, nil)
		var failure *sangam.Failure
		if !errors.As(err, &failure) || failure.Reason != want {
			t.Errorf("%v, wanted %s", err, want)
		}
		if rejected := strings.Contains(want, "not allowed"); (failure.Kind == sangam.Rejected) != rejected {
			t.Errorf("%v: %v", failure.Kind, failure)
		}
	}
}

func TestOutsideOfACallATestReachesItsOwnServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418) }))
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil || response.StatusCode != 418 {
		t.Errorf("%v %v", response, err)
	}
}
