package main

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	sangam "sangam/sdk"
	"sangam/sdk/sangamtest"
)

// stock is a warehouse that honours idempotency keys.
type stock struct {
	onHand map[string]int
	booked map[string]map[string]any
	moves  []string
	// lose is the part whose next answer is lost, once it is booked.
	lose string
}

func newStock() *stock {
	return &stock{onHand: map[string]int{"PUMP": 3, "RELAY": 10}, booked: map[string]map[string]any{}}
}

func (s *stock) answer(sent sangamtest.Sent) sangamtest.Answer {
	if sku, found := strings.CutPrefix(sent.Path(), "/api/items/"); found {
		left, known := s.onHand[sku]
		if !known {
			return sangamtest.JSON(404, map[string]any{"error": "unknown-item"})
		}
		return sangamtest.JSON(200, map[string]any{"sku": sku, "stock": map[string]int{"van": left}})
	}
	body := sent.JSON().(map[string]any)
	sku, quantity, key := body["sku"].(string), int(body["quantity"].(float64)), sent.Key
	if own := sent.Headers["idempotency-key"]; own != "" {
		key = own
	}
	if known := s.booked[key]; known != nil {
		return sangamtest.JSON(200, known)
	}
	if s.onHand[sku]+quantity < 0 {
		return sangamtest.JSON(409, map[string]any{"error": "insufficient-stock", "on_hand": s.onHand[sku]})
	}
	s.onHand[sku] += quantity
	s.moves = append(s.moves, fmt.Sprintf("%+d %s %v %v", quantity, sku, body["location"], body["reference"]))
	s.booked[key] = map[string]any{"id": fmt.Sprintf("m-%d", len(s.moves)), "sku": sku, "on_hand": s.onHand[sku]}
	if s.lose == sku {
		s.lose = ""
		return sangamtest.NoAnswer("the answer was lost")
	}
	return sangamtest.JSON(201, s.booked[key])
}

func hostOf(t *testing.T, system func(sangamtest.Sent) sangamtest.Answer) *sangamtest.Host {
	host := sangamtest.New(t, plugin, system)
	host.Config = map[string]any{"base-url": "https://stock.example", "location": "van"}
	return host
}

func input(parts ...any) map[string]any {
	list := []any{}
	for i := 0; i < len(parts); i += 2 {
		list = append(list, map[string]any{"sku": parts[i], "quantity": parts[i+1]})
	}
	return map[string]any{"job_ref": "J-7", "parts": list}
}

func failure(t *testing.T, err error) *sangam.Failure {
	t.Helper()
	var failure *sangam.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("no failure: %v", err)
	}
	return failure
}

func TestPartsOfOneNumberAreTakenTogether(t *testing.T) {
	stock := newStock()
	host := hostOf(t, stock.answer)
	var out struct {
		Movements []map[string]any
	}
	if err := host.Invoke("take-parts", input("PUMP", 1, "RELAY", 4, "PUMP", 1), &out); err != nil {
		t.Fatal(err)
	}
	if want := []string{"-2 PUMP van J-7", "-4 RELAY van J-7"}; !reflect.DeepEqual(stock.moves, want) {
		t.Errorf("%q", stock.moves)
	}
	if last := out.Movements[1]; last["id"] != "m-2" || last["on_hand"] != 6.0 || last["sku"] != "RELAY" {
		t.Errorf("%+v", out)
	}
	if host.Sent[2].Name != "take/PUMP" {
		t.Errorf("%+v", host.Sent[2])
	}
}

func TestIfOneIsShortNothingIsTakenAndAllIsTold(t *testing.T) {
	stock := newStock()
	failed := failure(t, hostOf(t, stock.answer).Invoke("take-parts", input("PUMP", 1, "RELAY", 11, "VALVE", 1), nil))
	want := "Nothing was taken: of RELAY there are 10 at van, 11 are wanted; VALVE is unknown"
	if failed.Kind != sangam.Rejected || failed.Reason != want || stock.moves != nil {
		t.Errorf("%v after %q", failed, stock.moves)
	}
}

func TestALostAnswerTakesNothingTwice(t *testing.T) {
	stock := newStock()
	stock.lose = "RELAY"
	host := hostOf(t, stock.answer)
	if failed := failure(t, host.Invoke("take-parts", input("PUMP", 3, "RELAY", 4), nil)); failed.Kind != sangam.Retry {
		t.Fatalf("%v: %v", failed.Kind, failed)
	}
	host.Attempt = 2
	if err := host.Invoke("take-parts", input("PUMP", 3, "RELAY", 4), nil); err != nil {
		t.Fatal(err)
	}
	if len(stock.moves) != 2 || stock.onHand["PUMP"] != 0 || stock.onHand["RELAY"] != 6 {
		t.Errorf("%+v", stock)
	}
}

func TestAnUndoPutsBackWhatWasTakenAndSettlesWhatIsInDoubt(t *testing.T) {
	for _, lose := range []string{"", "PUMP", "RELAY"} {
		stock := newStock()
		stock.lose = lose
		host := hostOf(t, stock.answer)
		parts := input("PUMP", 1, "RELAY", 4)
		err := host.Invoke("take-parts", parts, nil)
		if (err != nil) != (lose != "") {
			t.Fatal(err)
		}
		if err := host.Undo("return-parts", parts, nil); err != nil {
			t.Fatal(err)
		}
		if stock.onHand["PUMP"] != 3 || stock.onHand["RELAY"] != 10 {
			t.Errorf("lost %q: %+v", lose, stock)
		}
	}
}

func TestAnUndoOfWhatWasRefusedReturnsNothing(t *testing.T) {
	stock := newStock()
	host := hostOf(t, stock.answer)
	stock.onHand["PUMP"] = 0
	host.Attempt = 2 // past the look
	failure(t, host.Invoke("take-parts", input("PUMP", 1), nil))
	if err := host.Undo("return-parts", input("PUMP", 1), nil); err != nil || stock.moves != nil {
		t.Errorf("%v %q", err, stock.moves)
	}
}

func TestAWriteInDoubtThatIsRefusedNowHadNotTakenAnything(t *testing.T) {
	stock := newStock()
	host := hostOf(t, stock.answer)
	undo := map[string]any{"input": input("PUMP", 4), "output": nil, "effects": []any{
		map[string]any{"name": "take/PUMP", "key": "00000000-0000-5000-8000-000000000001", "state": "in-doubt"},
	}}
	if err := host.Invoke("return-parts", undo, nil); err != nil || stock.moves != nil {
		t.Errorf("%v %q", err, stock.moves)
	}
	// Another refusal says nothing about it.
	host = hostOf(t, func(sangamtest.Sent) sangamtest.Answer {
		return sangamtest.JSON(409, map[string]any{"error": "key-reused"})
	})
	if failed := failure(t, host.Invoke("return-parts", undo, nil)); failed.Kind != sangam.Rejected {
		t.Errorf("%v", failed)
	}
}

func TestRefusalsSayWhetherToTryAgain(t *testing.T) {
	for _, one := range []struct {
		status int
		body   string
		kind   sangam.Kind
		reason string
	}{
		{423, `{"error":"location-locked"}`, sangam.Retry, "locked"},
		{409, `{"error":"insufficient-stock","on_hand":1.50}`, sangam.Rejected, "2 of PUMP for job J-7: too little is on hand: 1.5"},
		{404, `{"error":"unknown-item"}`, sangam.Rejected, "does not know this item"},
		{422, `{"error":"invalid","field":"reference","detail":"a text"}`, sangam.Rejected, "wants reference to be a text"},
		{401, `{"error":"unauthorized"}`, sangam.Unauthorized, "answered 401"},
		{429, "slow down", sangam.RateLimited, "answered 429"},
		{500, "", sangam.Retry, "answered 500"},
	} {
		host := hostOf(t, func(sent sangamtest.Sent) sangamtest.Answer {
			if sent.Method == http.MethodGet {
				return sangamtest.JSON(200, map[string]any{"stock": map[string]int{"van": 9}})
			}
			return sangamtest.Text(one.status, one.body)
		})
		failed := failure(t, host.Invoke("take-parts", input("PUMP", 2), nil))
		if failed.Kind != one.kind || !strings.Contains(failed.Reason, one.reason) {
			t.Errorf("%d: %v: %v", one.status, failed.Kind, failed)
		}
	}
}

func TestQuantitiesAreExact(t *testing.T) {
	for text, want := range map[string]string{"2": "2", "0.100": "0.1", "-1.005": "-1.005", "10": "10", "1200.50": "1200.5"} {
		var quantity Quantity
		if err := quantity.UnmarshalJSON([]byte(text)); err != nil || quantity.String() != want {
			t.Errorf("%s: %s %v", text, quantity, err)
		}
	}
	for _, text := range []string{"0.0001", "1e3", "99999999999999999999", `"2"`} {
		if err := new(Quantity).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is a quantity", text)
		}
	}
}
