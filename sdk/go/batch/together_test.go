package batch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sangam "sangam/sdk"
	"sangam/sdk/batch"
	"sangam/sdk/internal/core"
	"sangam/sdk/sangamtest"
)

type Config struct {
	BaseURL string `json:"base-url"`
}

type Contact struct {
	_     struct{} `doc:"Keeps a contact by its address."`
	Email string   `json:"email"`
	Name  string   `json:"name"`
}

type Kept struct {
	ID string `json:"id"`
}

// ANCHOR: together
var plugin = sangam.New(sangam.About{Name: "crm", Title: "A CRM", Hosts: []string{"${base-url}"}},
	sangam.Action("keep-contact", "Keep a contact", keepContact),
	batch.Action("keep-contact", 100, keepContacts), // up to 100 runs in one call
)

func keepContact(ctx *sangam.Context[Config], contact Contact) (kept Kept, err error) {
	err = ctx.Put(ctx.Config.BaseURL + "/contacts/" + sangam.Encode(contact.Email)).Name("contact").JSON(contact).Into(&kept)
	return kept, err
}

type record struct {
	Ref     string   `json:"ref"`
	Contact *Contact `json:"contact,omitempty"`
	ID      string   `json:"id,omitempty"`
	Error   string   `json:"error,omitempty"`
}

func keepContacts(ctx *batch.Context[Config], items []batch.Item[Config, Contact]) ([]batch.Result[Kept], error) {
	// What is sent follows from the items alone; the key of a run's step tells its record from others in the answer.
	var records []record
	for i := range items {
		records = append(records, record{Ref: items[i].Ctx.IdempotencyKey, Contact: &items[i].Input})
	}
	response, err := ctx.Post(ctx.Config.BaseURL + "/contacts/batch").Name("contacts").JSON(records).Send()
	if err != nil {
		return nil, err
	}
	if response.Status == 400 && len(items) > 1 {
		// Refused as a whole for one of them: after a retry each goes alone.
		return nil, sangam.Retryf("the CRM refused the batch").WithResponse(response)
	}
	var answer []record
	if err := response.Into(&answer); err != nil {
		return nil, err
	}
	told := map[string]record{}
	for _, record := range answer {
		told[record.Ref] = record
	}
	var results []batch.Result[Kept]
	for _, item := range items { // one result for each item, in their order
		results = append(results, batch.ResultOf(kept(told[item.Ctx.IdempotencyKey])))
	}
	return results, nil
}

func kept(told record) (Kept, error) {
	switch {
	case told.Ref == "":
		return Kept{}, sangam.Retryf("the CRM did not say what became of the contact")
	case told.ID == "":
		return Kept{}, sangam.Rejectf("the CRM refused the contact: %s", told.Error)
	}
	return Kept{told.ID}, nil
}

// ANCHOR_END: together

func host(t *testing.T, answer func([]record) any) *sangamtest.Host {
	host := sangamtest.New(t, plugin, func(sent sangamtest.Sent) sangamtest.Answer {
		var records []record
		if err := json.Unmarshal(sent.Body, &records); err != nil {
			t.Fatal(err)
		}
		body := answer(records)
		if _, ok := body.([]record); ok {
			return sangamtest.JSON(200, body)
		}
		return sangamtest.JSON(400, body)
	})
	host.Config = map[string]any{"base-url": "https://crm.example"}
	return host
}

func TestEachRunHasItsOwnResultOfOneRequest(t *testing.T) {
	var refs []string
	crm := host(t, func(records []record) any {
		var answer []record
		for _, one := range records {
			refs = append(refs, one.Ref)
			told := record{Ref: one.Ref, ID: "1"}
			if one.Contact.Name != "A" {
				told = record{Ref: one.Ref, Error: "no such domain"}
			}
			answer = append([]record{told}, answer...)
		}
		return answer
	})
	results := crm.InvokeBatch("keep-contact", Contact{Email: "a@b.example", Name: "A"}, Contact{Email: "c@b.example", Name: "C"})
	if string(results[0].Output) != `{"id":"1"}` || len(crm.Sent) != 1 {
		t.Errorf("%+v after %+v", results, crm.Sent)
	}
	if refused := failed(t, results[1].Err); refused.Kind != sangam.Rejected || refused.Reason != "the CRM refused the contact: no such domain" {
		t.Errorf("%v", refused)
	}
	if want := []string{sangamtest.Key("run-1"), sangamtest.Key("run-2")}; fmt.Sprint(refs) != fmt.Sprint(want) {
		t.Errorf("%v, wanted %v", refs, want)
	}
}

func TestTheErrorOfABatchIsTheFailureOfEach(t *testing.T) {
	crm := host(t, func([]record) any { return map[string]any{"message": "no"} })
	for _, result := range crm.InvokeBatch("keep-contact", Contact{Email: "a"}, Contact{Email: "b"}) {
		if failure := failed(t, result.Err); failure.Kind != sangam.Retry || failure.Reason != "the CRM refused the batch" {
			t.Errorf("%v", failure)
		}
	}
}

type Number struct {
	N int `json:"n"`
}

// together is a plugin whose batch does that.
func together(run func(*batch.Context[struct{}], []batch.Item[struct{}, Number]) ([]batch.Result[Number], error)) *sangam.Plugin {
	return sangam.New(sangam.About{Name: "together", Title: "Together", Emits: []string{"doubled"}},
		sangam.Action("double", "Double", func(_ *sangam.Context[struct{}], number Number) (Number, error) { return Number{2 * number.N}, nil }),
		batch.Action("double", 3, run),
	)
}

func TestOneThatFailsIsItsRunsAloneAndBringsNothingIn(t *testing.T) {
	made := together(func(ctx *batch.Context[struct{}], items []batch.Item[struct{}, Number]) (results []batch.Result[Number], err error) {
		ctx.Log.Info("together", "key", ctx.Key("all"))
		for _, item := range items {
			item.Ctx.Log.Info("doubles")
			item.Ctx.Emit(sangam.NewEvent{Type: "doubled", Data: item.Input.N})
			result := batch.Result[Number]{Out: Number{2 * item.Input.N}}
			if item.Place == 1 {
				result.Err = fmt.Errorf("number 2: %w", sangam.RateLimitedf("slowly").WithAfter(2*time.Second))
			}
			results = append(results, result)
		}
		return results, nil
	})
	host := sangamtest.New(t, made, nil)
	results := host.InvokeBatch("double", Number{1}, Number{2}, Number{3})
	if string(results[0].Output) != `{"n":2}` || string(results[2].Output) != `{"n":6}` {
		t.Errorf("%+v", results)
	}
	if failure := failed(t, results[1].Err); failure.Kind != sangam.RateLimited || failure.After != 2*time.Second || failure.Reason != "number 2: slowly" {
		t.Errorf("%+v", failure)
	}
	if len(host.Events) != 2 || host.Events[1]["data"] != float64(3) {
		t.Errorf("events are those of runs that succeeded: %+v", host.Events)
	}
	var places []string
	for _, line := range host.Lines {
		places = append(places, line.Fields["invocation"])
	}
	if fmt.Sprint(places) != "[ 0 1 2]" {
		t.Errorf("%q", places)
	}
}

func TestAnInputThatDoesNotFitIsNoItem(t *testing.T) {
	made := together(func(_ *batch.Context[struct{}], items []batch.Item[struct{}, Number]) ([]batch.Result[Number], error) {
		if len(items) != 1 || items[0].Place != 1 {
			t.Errorf("%+v", items)
		}
		return []batch.Result[Number]{{Out: items[0].Input}}, nil
	})
	around := `{"event":{},"run":{},"step":{},"attempt":1,"deadline":"2100-01-01T00:00:00Z","configuration":{}}`
	results := made.Core().InvokeBatch(nil, "double", []core.Invocation{{Input: `{"n":"x"}`, Context: around}, {Input: `{"n":7}`, Context: around}})
	if failure := results[0].Failure; failure == nil || failure.Case != core.Rejected || !strings.HasPrefix(failure.Reason, "input.n: ") {
		t.Errorf("%+v", failure)
	}
	if results[1].Failure != nil || results[1].Output.Data != `{"n":7}` {
		t.Errorf("%+v", results[1])
	}
}

func TestAnotherNumberOfResultsIsAFailureOfAll(t *testing.T) {
	made := together(func(*batch.Context[struct{}], []batch.Item[struct{}, Number]) ([]batch.Result[Number], error) {
		return make([]batch.Result[Number], 1), nil
	})
	for _, result := range sangamtest.New(t, made, nil).InvokeBatch("double", Number{1}, Number{2}) {
		if failure := failed(t, result.Err); failure.Kind != sangam.Retry || !strings.Contains(failure.Reason, "of 2 items it gave 1") {
			t.Errorf("%v", failure)
		}
	}
}

func TestAnActionSaysHowManyRunsItTakes(t *testing.T) {
	if descriptor := plugin.Descriptor(); !strings.Contains(descriptor, `"batch":100`) {
		t.Error(descriptor)
	}
	double := sangam.Action("double", "Double", func(*sangam.Context[struct{}], Number) (Number, error) { return Number{}, nil })
	none := func(*batch.Context[struct{}], []batch.Item[struct{}, Number]) ([]batch.Result[Number], error) {
		return nil, nil
	}
	other := func(*batch.Context[struct{}], []batch.Item[struct{}, Kept]) ([]batch.Result[Number], error) {
		return nil, nil
	}
	for words, parts := range map[string][]sangam.Part[struct{}]{
		"a batch is of `triple`, which is not declared":                         {double, batch.Action("triple", 2, none)},
		"takes 2 to 1000 runs at most, not 1":                                   {double, batch.Action("double", 1, none)},
		"declared twice":                                                        {double, batch.Action("double", 2, none), batch.Action("double", 2, none)},
		"is of batch_test.Kept and batch_test.Number, the action of batch_test": {double, batch.Action("double", 2, other)},
	} {
		if said := mistake(sangam.New(sangam.About{Name: "wrong", Title: "Wrong"}, parts...)); !strings.Contains(said, words) {
			t.Errorf("%q, wanted %q", said, words)
		}
	}
	alone := sangam.New(sangam.About{Name: "alone", Title: "Alone"}, double)
	results := alone.Core().InvokeBatch(nil, "double", make([]core.Invocation, 2))
	if strings.Contains(alone.Descriptor(), `"batch"`) || len(results) != 2 || results[1].Failure.Reason != "alone takes one run of `double` at a time" {
		t.Errorf("%s %+v", alone.Descriptor(), results)
	}
}

// mistake is what the build would tell the author.
func mistake(plugin *sangam.Plugin) (said string) {
	defer func() { said = fmt.Sprint(recover()) }()
	return plugin.Descriptor()
}

func failed(t *testing.T, err error) *sangam.Failure {
	t.Helper()
	var failure *sangam.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("%v is no failure", err)
	}
	return failure
}
