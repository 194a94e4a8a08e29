// Command bench does what a run of the reconciler does over the API, with client-go and nothing
// else: less a Go program hardly can. `lists` reads the unsettled workflows and their children,
// `churn` also writes each workflow's status, creates its next child and tells an Event. It prints
// one JSON line: the seconds from the first request to the last answer, and what it saw.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

type told struct {
	Seconds   float64 `json:"seconds"`
	CPU       float64 `json:"cpu"`
	Workflows int     `json:"workflows"`
	Children  int     `json:"children"`
	Written   int     `json:"written"`
}

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: %s lists|churn NAMESPACE", os.Args[0]))
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	fail(err)
	config.UserAgent = "bench-go"
	config.QPS = -1 // no limit of its own: what is measured is the work
	config.WarningHandler = nil
	client, err := dynamic.NewForConfig(config)
	fail(err)
	namespace := os.Args[2]
	ctx := context.Background()

	began, used := time.Now(), cpu()
	workflows, children, err := lists(ctx, client, namespace)
	fail(err)
	written := 0
	if os.Args[1] == "churn" {
		written, err = churn(ctx, client, namespace, workflows, children)
		fail(err)
	}
	fail(json.NewEncoder(os.Stdout).Encode(told{
		time.Since(began).Seconds(), cpu() - used, len(workflows), len(children), written}))
}

func cpu() float64 {
	var used syscall.Rusage
	fail(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
