// A plugin for the test of this package: goroutines side by side make garbage, keep something, and take large answers.
package main

import (
	"fmt"
	"strings"
	"sync"

	sangam "sangam/sdk"
)

type In struct {
	Calls    int  `json:"calls"`
	Garbage  int  `json:"garbage" doc:"MiB for each answer."`
	Live     int  `json:"live" doc:"KiB that stay."`
	Parallel bool `json:"parallel,omitempty"`
}

type Out struct {
	Bytes int `json:"bytes"`
}

var plugin = sangam.New(sangam.About{Name: "collector", Title: "Collector"}, sangam.Action("run", "Run", run))

func main() {}

type node struct {
	next *node
	text string
	rest [6]int
}

func garbage(mebibytes int) *node {
	var head *node
	for i := range mebibytes << 20 / 96 {
		one := &node{text: fmt.Sprint(i)}
		if i%64 != 0 {
			one.next = head
		}
		head = one
	}
	return head
}

func run(ctx *sangam.Context[struct{}], in In) (Out, error) {
	var live []*node
	for range in.Live {
		live = append(live, &node{text: strings.Repeat("l", 1<<10)})
	}
	var out Out
	ask := func() error {
		var answer struct{ Pad string }
		if err := ctx.Get("https://a.example/").Into(&answer); err != nil {
			return err
		}
		if strings.Count(answer.Pad, "x") != len(answer.Pad) {
			return sangam.Rejectf("an answer is not what was given")
		}
		out.Bytes += len(answer.Pad)
		ctx.Log.Info("asked", "garbage", garbage(in.Garbage).text)
		return nil
	}
	errs := make(chan error, in.Calls)
	var asking sync.WaitGroup
	for range in.Calls {
		asking.Add(1)
		one := func() {
			defer asking.Done()
			errs <- ask()
		}
		if in.Parallel {
			go one()
		} else {
			one()
		}
	}
	asking.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return out, err
		}
	}
	for _, one := range live {
		if one.text != strings.Repeat("l", 1<<10) {
			return out, sangam.Rejectf("what was kept is not what it was")
		}
	}
	return out, nil
}
