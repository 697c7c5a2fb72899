package sangam_test

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The README's plugin and its test are what an author begins with: they are built and run as they stand there.
func TestThePluginOfTheReadmePassesItsOwnTest(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(readme), "```go\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of Go", len(blocks))
	}
	sdk, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":       "module readme\n\ngo 1.24\n\nrequire sangam/sdk v0.0.0\n\nreplace sangam/sdk => " + sdk + "\n",
		"main.go":      blocks[0],
		"main_test.go": "package main\n\nimport (\n\t\"testing\"\n\n\t\"sangam/sdk/sangamtest\"\n)\n\n" + blocks[1],
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if formatted, err := format.Source([]byte(blocks[0])); err != nil || string(formatted) != blocks[0] {
		t.Errorf("the plugin is not as gofmt has it: %v", err)
	}
	for _, command := range [][]string{{"go", "vet", "."}, {"go", "test", "."}} {
		run := exec.Command(command[0], command[1:]...)
		run.Dir, run.Env = folder, append(os.Environ(), "GOWORK=off")
		if said, err := run.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(command, " "), err, said)
		}
	}
}
