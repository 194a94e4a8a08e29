-- Nothing is offered once the phase is terminal: it never changes again.

local spec = obj.spec
local status = obj.status or {}
local phase = status.phase or ""
local over = phase == "Completed" or phase == "Failed" or phase == "Cancelled"
  or obj.metadata.deletionTimestamp ~= nil

-- The same question as in approve/action.lua: is there a gate that holds its step back right now?
local function waits()
  local passed, done = {}, {}
  for _, approval in ipairs(spec.approvals or {}) do
    passed[approval.step] = true
  end
  for _, result in ipairs(status.stepResults or {}) do
    passed[result.stepName] = true
    done[result.stepName] = result.status == "Completed"
  end
  for _, step in ipairs(spec.workflowDefinition.steps or {}) do
    local gate = step.requiresApproval == true and not passed[step.name]
    for _, before in ipairs(step.dependsOn or {}) do
      gate = gate and done[before] == true
    end
    if gate then
      return true
    end
  end
  return false
end

local suspended = spec.suspend == true
local cancelled = spec.cancel == true

local actions = {}
actions["suspend"] = {
  ["disabled"] = over or cancelled or suspended,
  ["iconClass"] = "fa fa-fw fa-pause"
}
actions["resume"] = {
  ["disabled"] = over or cancelled or not suspended,
  ["iconClass"] = "fa fa-fw fa-play"
}
actions["cancel"] = {
  ["disabled"] = over or cancelled,
  ["iconClass"] = "fa fa-fw fa-stop"
}
actions["approve"] = {
  ["disabled"] = over or cancelled or status.observedGeneration == -1 or not waits(),
  ["iconClass"] = "fa fa-fw fa-check",
  ["params"] = {{["name"] = "step"}, {["name"] = "by"}, {["name"] = "reason"}}
}
return actions
