package sangam_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sangam "sangam/sdk"
	"sangam/sdk/sangamtest"
)

var input = map[string]any{"ticket": "7/1", "text": "Pump <replaced>"}

func host(t *testing.T, system func(sangamtest.Sent) sangamtest.Answer) *sangamtest.Host {
	host := sangamtest.New(t, helpdesk, system)
	host.Config = map[string]any{"base-url": "https://desk.example"}
	return host
}

func TestAnActionSendsANamedWriteAndReturnsItsAnswer(t *testing.T) {
	host := host(t, func(sangamtest.Sent) sangamtest.Answer { return sangamtest.JSON(201, Comment{ID: "c-1"}) })
	var out Comment
	if err := host.Invoke("add-comment", input, &out); err != nil {
		t.Fatal(err)
	}
	if out.ID != "c-1" || len(host.Sent) != 1 {
		t.Fatalf("%+v after %+v", out, host.Sent)
	}
	sent := host.Sent[0]
	marker := "[sangam:" + sangamtest.Key("comment") + "]"
	if sent.Method != "POST" || sent.Path() != "/tickets/7%2F1/comments" || sent.Name != "comment" {
		t.Errorf("%+v", sent)
	}
	if want := `{"text":"Pump <replaced> ` + marker + `"}`; sent.Text() != want {
		t.Errorf("the body is %s, wanted %s", sent.Text(), want)
	}
	if line := host.Lines[0]; line.Level != "info" || line.Fields["comment"] != "c-1" {
		t.Errorf("%+v", line)
	}
	if event := host.Events[0]; event["type"] != "comment.added" || event["subject"] != "7/1" {
		t.Errorf("%+v", event)
	}
}

func TestACommentWhoseAnswerWasLostIsNotMadeTwice(t *testing.T) {
	var there []map[string]any
	host := host(t, func(sent sangamtest.Sent) sangamtest.Answer {
		if sent.Method == "POST" {
			there = append(there, map[string]any{"id": "c-1", "text": sent.JSON().(map[string]any)["text"]})
			return sangamtest.NoAnswer("the answer was lost")
		}
		return sangamtest.JSON(200, there)
	})
	if failure := failed(t, host.Invoke("add-comment", input, nil)); failure.Kind != sangam.Retry {
		t.Fatalf("%v: %v", failure.Kind, failure)
	}
	host.Attempt = 2
	var out Comment
	if err := host.Invoke("add-comment", input, &out); err != nil || out.ID != "c-1" || len(there) != 1 {
		t.Fatalf("%v, %+v, %d comments", err, out, len(there))
	}
}

func TestAWriteThatSucceededIsAnsweredFromTheJournal(t *testing.T) {
	host := host(t, func(sent sangamtest.Sent) sangamtest.Answer {
		if sent.Method == "POST" {
			return sangamtest.JSON(201, Comment{ID: "c-1"})
		}
		return sangamtest.JSON(200, []any{})
	})
	for host.Attempt = 1; host.Attempt <= 2; host.Attempt++ {
		if err := host.Invoke("add-comment", input, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(host.Sent) != 2 || host.Sent[1].Method != "GET" {
		t.Errorf("%+v", host.Sent)
	}
}

func TestRefusalsSayWhetherToTryAgain(t *testing.T) {
	for _, one := range []struct {
		status int
		body   string
		kind   sangam.Kind
	}{
		{403, `{"code":"QUOTA"}`, sangam.RateLimited},
		{401, "", sangam.Unauthorized},
		{404, "", sangam.Rejected},
		{302, "", sangam.Rejected},
		{408, "", sangam.Retry},
		{425, "", sangam.Retry},
		{503, "", sangam.Retry},
		{429, "", sangam.RateLimited},
	} {
		host := host(t, func(sangamtest.Sent) sangamtest.Answer {
			return sangamtest.Reply(one.status, map[string]string{"Retry-After": "7"}, []byte(one.body))
		})
		failure := failed(t, host.Invoke("add-comment", input, nil))
		if failure.Kind != one.kind || failure.After != 7*time.Second {
			t.Errorf("%d %s: %v after %v", one.status, one.body, failure.Kind, failure.After)
		}
		if details, _ := failure.Details.(map[string]any); details["status"] != float64(one.status) {
			t.Errorf("%d: %+v", one.status, failure.Details)
		}
	}
}

func TestAWrappedFailureKeepsItsKindAndTellsTheWholeSentence(t *testing.T) {
	host := host(t, func(sangamtest.Sent) sangamtest.Answer { return sangamtest.Text(503, "") })
	failure := failed(t, host.Invoke("add-comment", input, nil))
	if want := "ticket 7/1: POST https://desk.example/tickets/7%2F1/comments answered 503"; failure.Reason != want {
		t.Errorf("%q, wanted %q", failure.Reason, want)
	}
	cause := errors.New("cause")
	if made := sangam.Rejectf("no: %w", cause); !errors.Is(made, cause) || made.Reason != "no: cause" {
		t.Errorf("%v", made)
	}
	for _, one := range []struct {
		err  error
		kind sangam.Kind
	}{
		{errors.New("plain"), sangam.Retry},
		{fmt.Errorf("reading: %w", json.Unmarshal([]byte("{"), new(any))), sangam.Rejected},
		{fmt.Errorf("around: %w", sangam.Unauthorizedf("who?")), sangam.Unauthorized},
	} {
		if kind := sangam.AsFailure(one.err).Kind; kind != one.kind {
			t.Errorf("%v is %v", one.err, kind)
		}
	}
}

func TestAnUndoLooksForWhatAFailedStepMayHaveDone(t *testing.T) {
	there := []map[string]any{}
	host := host(t, func(sent sangamtest.Sent) sangamtest.Answer {
		switch sent.Method {
		case "POST":
			there = append(there, map[string]any{"id": "c/9", "text": sent.JSON().(map[string]any)["text"]})
			return sangamtest.Text(500, "")
		case "DELETE":
			return sangamtest.Text(404, "gone already")
		}
		return sangamtest.JSON(200, there)
	})
	failed(t, host.Invoke("add-comment", input, nil))
	if err := host.Undo("delete-comment", input, nil); err != nil {
		t.Fatal(err)
	}
	last := host.Sent[len(host.Sent)-1]
	if last.Method != "DELETE" || last.Path() != "/tickets/7%2F1/comments/c%2F9" {
		t.Errorf("%+v", last)
	}
}

func TestDataOfAnEventKeepTheirDigits(t *testing.T) {
	var event sangam.Event
	text := `{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-11-02T08:00:00Z","x":7,"data":{"n":12345678901234567890123,"m":10.10}}`
	if err := json.Unmarshal([]byte(text), &event); err != nil {
		t.Fatal(err)
	}
	var data map[string]any
	if err := event.Into(&data); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%v %v %v", data["n"], data["m"], event.Attributes["x"]) != "12345678901234567890123 10.10 7" || event.Time.Hour() != 8 {
		t.Errorf("%+v %+v", event, data)
	}
	var small struct{ M uint8 }
	failure := failed(t, event.Into(&small))
	if !strings.HasPrefix(failure.Reason, "event.data.m: ") || failure.Kind != sangam.Rejected {
		t.Errorf("%v", failure)
	}
}

func failed(t *testing.T, err error) *sangam.Failure {
	t.Helper()
	var failure *sangam.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("%v is no failure", err)
	}
	return failure
}
