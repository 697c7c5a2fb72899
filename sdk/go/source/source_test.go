package source_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sangam "sangam/sdk"
	"sangam/sdk/sangamtest"
	"sangam/sdk/source"
)

type leave struct {
	ID       string    `json:"id"`
	Version  int       `json:"version"`
	Approved time.Time `json:"approved"`
}

var hr = sangam.New(sangam.About{Name: "hr", Title: "HR"},
	source.Poll("leave", "Approved leave", pollLeave).Types("leave.approved"),
	source.Webhook("leave", "Approved leave", receiveLeave),
)

func pollLeave(ctx *source.Context[struct{}], asked source.Asked[int]) (page source.Page[int], err error) {
	request := ctx.Get("https://hr.example/leave").Query("limit", asked.Limit)
	if asked.Cursor != nil {
		request.Query("after", *asked.Cursor)
	} else {
		request.Query("since", ctx.Since)
	}
	var found struct {
		Items []leave `json:"items"`
		Next  *int    `json:"next"`
	}
	if err := request.Into(&found); err != nil {
		return page, err
	}
	page.NextCursor, page.More = found.Next, found.Next != nil
	for _, leave := range found.Items {
		if leave.ID == "" {
			page.SetAside = append(page.SetAside, source.SetAside{Record: leave, Reason: "it has no id"})
			continue
		}
		page.Events = append(page.Events, event(leave))
	}
	return page, nil
}

func receiveLeave(ctx *source.Context[struct{}], request *source.Inbound) (source.Received, error) {
	if request.Header("X-Kind") == "ping" {
		return source.Received{Reply: source.Reply{Status: 204}}, nil
	}
	var leave leave
	if err := request.Into(&leave); err != nil {
		return source.Received{}, err
	}
	if leave.ID == "write" {
		return source.Received{}, ctx.Request("POST", "https://hr.example/seen").Name("seen").Into(nil)
	}
	return source.Received{Events: []sangam.NewEvent{event(leave)}, Reply: source.Reply{Body: []byte("thanks")}}, nil
}

func event(leave leave) sangam.NewEvent {
	return sangam.NewEvent{Type: "leave.approved", ID: fmt.Sprintf("%s/%d", leave.ID, leave.Version), Time: leave.Approved, Data: leave}
}

func TestAPollReadsAPageFromItsCursor(t *testing.T) {
	host := sangamtest.New(t, hr, func(sangamtest.Sent) sangamtest.Answer {
		return sangamtest.JSON(200, map[string]any{"items": []any{
			map[string]any{"id": "7", "version": 2, "approved": "2026-11-02T08:00:00Z"}, map[string]any{},
		}, "next": 7})
	})
	host.Since = "2026-01-01T00:00:00Z"
	page, err := host.Poll("leave", nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	if string(page.NextCursor) != "7" || !page.More || page.SetAside[0] != "it has no id" {
		t.Errorf("%+v", page)
	}
	if event := host.Events[0]; event["id"] != "7/2" || event["time"] != "2026-11-02T08:00:00Z" {
		t.Errorf("%+v", event)
	}
	if _, err := host.Poll("leave", 7, 10); err != nil {
		t.Fatal(err)
	}
	if first, second := host.Sent[0], host.Sent[1]; first.Query("since") != host.Since || second.Query("after") != "7" || second.Query("limit") != "10" {
		t.Errorf("%+v", host.Sent)
	}
}

func TestAWebhookBecomesEventsAndAnswersItsSender(t *testing.T) {
	host := sangamtest.New(t, hr, nil)
	status, reply, err := host.Receive("leave", "POST", "/hooks/hr", nil, []byte(`{"id":"7","version":3}`))
	if status != 200 || string(reply) != "thanks" || err != nil || host.Events[0]["id"] != "7/3" {
		t.Errorf("%d %s %v %+v", status, reply, err, host.Events)
	}
	if status, _, err := host.Receive("leave", "POST", "/hooks/hr", map[string]string{"x-kind": "ping"}, nil); status != 204 || err != nil {
		t.Errorf("%d %v", status, err)
	}
	for body, want := range map[string]string{
		`{"id":7}`:       "body.id: a number does not fit string",
		`{"id":"write"}`: "POST https://hr.example/seen is not allowed: streams may only read",
	} {
		_, _, err := host.Receive("leave", "POST", "/hooks/hr", nil, []byte(body))
		var failure *sangam.Failure
		if !errors.As(err, &failure) || failure.Kind != sangam.Rejected || failure.Reason != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestTwoPartsOfOneNameAreOneStream(t *testing.T) {
	want := `"streams":[{"name":"leave","title":"Approved leave","poll":true,"receive":true,"types":["leave.approved"]}]`
	if descriptor := hr.Descriptor(); !strings.Contains(descriptor, want) {
		t.Errorf("%s", descriptor)
	}
}
