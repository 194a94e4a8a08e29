package main

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

const (
	page        = 1000 // of children, about 2 MiB
	heavyPage   = 250  // of workflows, the first one
	nextHeavy   = 400  // about 2 MiB
	namesAList  = 100
	namesForOne = 1000 // above: one list of all
	listsAtOnce = 4
	label       = "kubernaut.ai/workflow"
)

var (
	workflowKind = schema.GroupVersionResource{
		Group: "workflowexecution.kubernaut.ai", Version: "v1alpha1", Resource: "workflowexecutions"}
	childKind = schema.GroupVersionResource{
		Group: "kubernetesexecution.kubernaut.ai", Version: "v1alpha1", Resource: "kubernetesexecutions"}
	eventKind = schema.GroupVersionResource{
		Group: "events.k8s.io", Version: "v1", Resource: "events"}
	configMapKind = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
)

func lists(ctx context.Context, client dynamic.Interface, namespace string) (
	workflows, children []unstructured.Unstructured, err error) {
	_, err = client.Resource(configMapKind).Namespace(namespace).Get(
		ctx, "reconciler-paused", metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, nil, err
	}
	workflows, err = every(ctx, client.Resource(workflowKind).Namespace(namespace),
		metav1.ListOptions{FieldSelector: "status.settled!=true", Limit: heavyPage}, nextHeavy)
	if err != nil {
		return nil, nil, err
	}
	selectors := selected(workflows)
	parts := make([][]unstructured.Unstructured, len(selectors))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(listsAtOnce)
	for at, selector := range selectors {
		group.Go(func() (err error) {
			parts[at], err = every(ctx, client.Resource(childKind).Namespace(namespace),
				metav1.ListOptions{LabelSelector: selector, Limit: page}, page)
			return err
		})
	}
	err = group.Wait()
	for _, part := range parts {
		children = append(children, part...)
	}
	return workflows, children, err
}

func selected(workflows []unstructured.Unstructured) []string {
	names := make([]string, len(workflows))
	for at := range workflows {
		names[at] = workflows[at].GetName()
	}
	sort.Strings(names)
	if len(names) > namesForOne {
		return []string{label}
	}
	var selectors []string
	for start := 0; start < len(names); start += namesAList {
		some := names[start:min(start+namesAList, len(names))]
		selectors = append(selectors, fmt.Sprintf("%s in (%s)", label, strings.Join(some, ",")))
	}
	return selectors
}

func every(ctx context.Context, resource dynamic.ResourceInterface, options metav1.ListOptions,
	next int64) (items []unstructured.Unstructured, err error) {
	for {
		got, err := resource.List(ctx, options)
		if err != nil {
			return nil, err
		}
		items = append(items, got.Items...)
		if options.Continue = got.GetContinue(); options.Continue == "" {
			return items, nil
		}
		options.Limit = next
	}
}
