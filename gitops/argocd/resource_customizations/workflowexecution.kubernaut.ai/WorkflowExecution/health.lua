-- The status follows kstatus: observedGeneration, Reconciling, Stalled, Ready.
-- One thing kstatus does not know: Ready is Unknown with the reason Suspended or AwaitingApproval
-- while the workflow waits for a person and nothing of it is active.

local status = obj.status or {}

local function health(verdict, message)
  return {status = verdict, message = message}
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "being deleted")
end
-- -1 is the default of the CRD: a run of the reconciler is yet to come.
if status.observedGeneration == nil or status.observedGeneration == -1 then
  return health("Progressing", "no run of the reconciler has seen it yet")
end
if status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "no run of the reconciler has seen the last change yet")
end

local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end

local function is(name, value)
  return found[name] ~= nil and found[name].status == value
end

local message = status.message or ""
if is("Reconciling", "True") then
  return health("Progressing", message)
end
if is("Stalled", "True") then
  return health("Degraded", message)
end
if is("Ready", "True") then
  return health("Healthy", message)
end
if is("Ready", "Unknown") and
    (found.Ready.reason == "Suspended" or found.Ready.reason == "AwaitingApproval") then
  return health("Suspended", message)
end
return health("Progressing", message)
