package sangam_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	sangam "sangam/sdk"
)

func TestTheDescriptorIsMadeOfTheTypes(t *testing.T) {
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(helpdesk.Descriptor()), "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	want, err := os.ReadFile("testdata/helpdesk.json")
	if err != nil || pretty.String() != string(want) {
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile("testdata/helpdesk.json", pretty.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		t.Errorf("UPDATE=1 go test writes testdata/helpdesk.json anew; now it would be\n%s", &pretty)
	}
	if helpdesk.Descriptor() != helpdesk.Descriptor() {
		t.Error("the descriptor comes out differently each time")
	}
}

func TestMistakesOfAnAuthorAreToldBeforeAHostSeesThem(t *testing.T) {
	type None struct{}
	run := func(*sangam.Context[None], None) (None, error) { return None{}, nil }
	type BadTag struct {
		Amount int `json:"amount" minimum:"x"`
	}
	type NoJSON struct {
		Later struct {
			Done chan int `json:"done"`
		} `json:"later"`
	}
	about := sangam.About{Name: "p", Title: "P"}
	for want, describe := range map[string]func(){
		"`a` is declared twice":                       func() { sangam.New(about, sangam.Action("a", "A", run), sangam.Action("a", "A", run)).Descriptor() },
		"`a` is undone by `b`, which is not declared": func() { sangam.New(about, sangam.Action("a", "A", run).UndoneBy("b")).Descriptor() },
		`.amount: the tag minimum:"x" is no number`: func() {
			sangam.New(about, sangam.Action("a", "A", func(*sangam.Context[None], BadTag) (None, error) { return None{}, nil })).Descriptor()
		},
		"action `a` can't be described: output sangam_test.NoJSON.": func() {
			sangam.New(about, sangam.Action("a", "A", func(*sangam.Context[None], None) (NoJSON, error) { return NoJSON{}, nil })).Descriptor()
		},
	} {
		func() {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, want) {
					t.Errorf("%q does not say %q", said, want)
				}
			}()
			describe()
		}()
	}
}
