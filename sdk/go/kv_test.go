package sangam_test

import (
	"errors"
	"log/slog"
	"testing"

	sangam "sangam/sdk"
	"sangam/sdk/sangamtest"
)

func TestTheStoreKeepsWhatASucceededCallWrote(t *testing.T) {
	type in struct {
		Fail bool `json:"fail,omitempty"`
	}
	type out struct {
		Sum  int64    `json:"sum"`
		Keys []string `json:"keys"`
	}
	var told []bool
	plugin := sangam.New(sangam.About{Name: "p", Title: "P"}, sangam.Action("count", "Count", func(ctx *sangam.Context[struct{}], in in) (made out, err error) {
		if made.Sum, err = ctx.KV.Increment("n", 2); err != nil {
			return made, err
		}
		swapped, err := ctx.KV.CompareAndSwap("once", nil, []byte("x"))
		told = append(told, swapped)
		var week struct{ Minutes int }
		there, err2 := ctx.KV.GetJSON("week", &week)
		told = append(told, there)
		week.Minutes += 60
		if err := errors.Join(err, err2, ctx.KV.SetJSON("week", week), ctx.KV.Set("gone", nil), ctx.KV.Delete("gone")); err != nil {
			return made, err
		}
		if gone, err := ctx.KV.Get("gone"); gone != nil || err != nil {
			return made, sangam.Rejectf("%q is still there: %w", gone, err)
		}
		for key, err := range ctx.KV.Keys("") {
			if err != nil {
				return made, err
			}
			made.Keys = append(made.Keys, key)
		}
		if in.Fail {
			return made, sangam.Retryf("on purpose")
		}
		return made, nil
	}))
	host := sangamtest.New(t, plugin, nil)
	host.Store["n"] = []byte("40")
	failed(t, host.Invoke("count", in{Fail: true}, nil))
	var made out
	if err := host.Invoke("count", in{}, &made); err != nil {
		t.Fatal(err)
	}
	if err := host.Invoke("count", in{}, nil); err != nil {
		t.Fatal(err)
	}
	if made.Sum != 42 || len(made.Keys) != 3 || string(host.Store["week"]) != `{"Minutes":120}` {
		t.Errorf("%+v %q", made, host.Store)
	}
	// Of the failed call nothing is left; the second success finds what the first wrote.
	for i, want := range []bool{true, false, true, false, false, true} {
		if told[i] != want {
			t.Errorf("answer %d: %v", i, told)
		}
	}
	host.Store["n"] = []byte("many")
	if failure := failed(t, host.Invoke("count", in{}, nil)); failure.Kind != sangam.Rejected || failure.Reason != "key `n`: not a number" {
		t.Errorf("%v", failure)
	}
}

func TestLinesHaveTheirAttributesAsFields(t *testing.T) {
	plugin := sangam.New(sangam.About{Name: "p", Title: "P"}, sangam.Action("log", "Log", func(ctx *sangam.Context[struct{}], _ struct{}) (struct{}, error) {
		log := ctx.Log.With("order", 7).WithGroup("part").With("sku", "P-1")
		log.Warn("low", "left", 2, slog.Group("at", "shelf", "B"), slog.Attr{})
		ctx.Log.Log(ctx, sangam.LevelTrace, "every detail")
		return struct{}{}, nil
	}))
	host := sangamtest.New(t, plugin, nil)
	if err := host.Invoke("log", struct{}{}, nil); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"order": "7", "part.sku": "P-1", "part.left": "2", "part.at.shelf": "B"}
	for name, value := range want {
		if host.Lines[0].Fields[name] != value {
			t.Errorf("%s: %+v", name, host.Lines[0])
		}
	}
	if len(host.Lines[0].Fields) != len(want) || host.Lines[0].Level != "warn" || host.Lines[1].Level != "trace" {
		t.Errorf("%+v", host.Lines)
	}
}
