package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

const (
	writersAtOnce = 16
	next          = "step-4" // starts once step-3 is completed
	before        = "step-3"
)

type object = map[string]any

// churn writes what a run writes over such workflows: a status, a child and an Event for each.
func churn(ctx context.Context, client dynamic.Interface, namespace string,
	workflows, children []unstructured.Unstructured) (int, error) {
	completed := map[string]bool{}
	for _, child := range children {
		step, _, _ := unstructured.NestedString(child.Object, "spec", "stepName")
		phase, _, _ := unstructured.NestedString(child.Object, "status", "phase")
		if step == before && phase == "Completed" {
			completed[child.GetLabels()[label]] = true
		}
	}
	var written atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writersAtOnce)
	for at := range workflows {
		workflow := &workflows[at]
		if !completed[workflow.GetName()] {
			continue
		}
		group.Go(func() error {
			written.Add(1)
			return advance(ctx, client, namespace, workflow)
		})
	}
	err := group.Wait()
	return int(written.Load()), err
}

func advance(ctx context.Context, client dynamic.Interface, namespace string,
	workflow *unstructured.Unstructured) error {
	name := childName(workflow)
	now := time.Now().UTC().Format(time.RFC3339)
	results, _, err := unstructured.NestedSlice(workflow.Object, "status", "stepResults")
	if err != nil {
		return err
	}
	for _, each := range results {
		if result := each.(object); result["stepName"] == before {
			result["status"], result["executionEndTime"] = "Completed", now
		}
	}
	results = append(results, object{
		"stepName": next, "status": "Pending", "executionRef": name, "reservedAt": now,
		"attempt": int64(0)})
	status := workflow.Object["status"].(object)
	status["stepResults"], status["completedSteps"] = results, int64(1)
	status["progress"], status["message"] = "1/5", "1 of 5 steps completed, 4 running"
	options := metav1.UpdateOptions{FieldManager: "bench"}
	if _, err = client.Resource(workflowKind).Namespace(namespace).UpdateStatus(
		ctx, workflow, options); err != nil {
		return err
	}
	create := metav1.CreateOptions{FieldManager: "bench"}
	if _, err = client.Resource(childKind).Namespace(namespace).Create(
		ctx, child(workflow, name, now), create); err != nil {
		return err
	}
	_, err = client.Resource(eventKind).Namespace(namespace).Create(ctx, event(workflow), create)
	return err
}

func childName(workflow *unstructured.Unstructured) string {
	digest := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", workflow.GetUID(), next, 0))
	return fmt.Sprintf("%s-%s-%x", workflow.GetName(), next, digest[:5])
}

func child(workflow *unstructured.Unstructured, name, now string) *unstructured.Unstructured {
	steps, _, _ := unstructured.NestedSlice(
		workflow.Object, "spec", "workflowDefinition", "steps")
	step := steps[len(steps)-1].(object)
	return &unstructured.Unstructured{Object: object{
		"apiVersion": childKind.GroupVersion().String(),
		"kind":       "KubernetesExecution",
		"metadata": object{
			"name":        name,
			"labels":      object{label: workflow.GetName(), "kubernaut.ai/step": next, "app.kubernetes.io/managed-by": "reconciler"},
			"annotations": object{"kubernaut.ai/not-after": now},
			"ownerReferences": []any{object{
				"apiVersion": workflow.GetAPIVersion(), "kind": workflow.GetKind(),
				"name": workflow.GetName(), "uid": string(workflow.GetUID()),
				"controller": true, "blockOwnerDeletion": false}},
		},
		"spec": object{
			"workflowExecutionRef": object{
				"name": workflow.GetName(), "uid": string(workflow.GetUID())},
			"stepName": next, "attempt": int64(0), "action": step["action"],
			"actionParameters": step["parameters"], "targetResource": step["targetResource"],
			"timeout": "5m"},
	}}
}

func event(workflow *unstructured.Unstructured) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: object{
		"apiVersion":          eventKind.GroupVersion().String(),
		"kind":                "Event",
		"metadata":            object{"generateName": workflow.GetName() + "-"},
		"eventTime":           time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		"reportingController": "bench", "reportingInstance": "bench",
		"action": "Reconcile", "reason": "StepStarted", "type": "Normal", "note": next,
		"regarding": object{
			"apiVersion": workflow.GetAPIVersion(), "kind": workflow.GetKind(),
			"namespace": workflow.GetNamespace(), "name": workflow.GetName(),
			"uid": string(workflow.GetUID())},
	}}
}
