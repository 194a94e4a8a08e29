-- Writes spec.approvals: {step, by, reason}. Without the parameter `step` it passes every gate that
-- holds its step back right now, and none that lies behind another.
--
-- Argo CD does not tell a script who pressed the button, and writes with an account of its own. `by`
-- is that account: the only name that the API server can vouch for. This is the one of Argo CD's
-- API server in its own cluster; who uses another changes this line, or fills in `by`.
local account = "system:serviceaccount:argocd:argocd-server"

local function given(name)
  local value = actionParams[name]
  if value == nil or value == "" then
    return nil
  end
  return value
end

local spec = obj.spec
local status = obj.status or {}
local approvals = spec.approvals or {}
local passed, done = {}, {}
for _, approval in ipairs(approvals) do
  passed[approval.step] = true
end
for _, result in ipairs(status.stepResults or {}) do
  passed[result.stepName] = true
  done[result.stepName] = result.status == "Completed"
end

local wanted = given("step")
local found = {}
for _, step in ipairs(spec.workflowDefinition.steps or {}) do
  local gate = step.requiresApproval == true and not passed[step.name]
  if wanted == nil then
    for _, before in ipairs(step.dependsOn or {}) do
      gate = gate and done[before] == true
    end
  else
    gate = gate and step.name == wanted
  end
  if gate then
    table.insert(found, step.name)
  end
end
if #found == 0 and wanted == nil then
  error("no step waits for approval right now", 0)
end
if #found == 0 then
  error("step " .. wanted .. " is not one that still needs an approval", 0)
end

for _, name in ipairs(found) do
  table.insert(approvals, {
    step = name,
    by = given("by") or account,
    reason = given("reason") or "approved in Argo CD"
  })
end
spec.approvals = approvals
return obj
