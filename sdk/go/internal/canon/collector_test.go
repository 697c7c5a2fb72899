package canon_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A module that is made for wasm runs here in node, which fails where a component's host would: see testdata/host.mjs.
func TestTheCollectorStandsStillWhileTheHostIsCalled(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed, so nothing runs the module: https://nodejs.org")
	}
	// All of the SDK is in the module: read it, so that `go test` does not take an old result for that of a changed file.
	if err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (filepath.Ext(path) == ".go" || filepath.Ext(path) == ".s") {
			_, err = os.ReadFile(path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(t.TempDir(), "collector.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-o", module, "./testdata/collector")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOWORK=off")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, one := range []struct{ calls, garbage, live, bytes int }{
		{3, 1, 10, 1000},
		{15, 9, 4000, 2_500_000},
		{15, 20, 15_000, 1_500_000},
	} {
		for _, parallel := range []bool{false, true} {
			input := fmt.Sprintf(`{"calls":%d,"garbage":%d,"live":%d,"parallel":%t}`, one.calls, one.garbage, one.live, parallel)
			said, err := exec.Command("node", "testdata/host.mjs", module, input, fmt.Sprint(one.bytes)).Output()
			if want := fmt.Sprintf("{\"bytes\":%d}\n", one.calls*one.bytes); err != nil || string(said) != want {
				t.Errorf("%s with answers of %d bytes: %v: %s", input, one.bytes, err, said)
				if exit, ok := err.(*exec.ExitError); ok {
					t.Logf("%.2000s", exit.Stderr)
				}
			}
		}
	}
}
