-- A record is a history: a run that failed is told by the WorkflowExecution, not here.

local status = obj.status or {}
if obj.metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = "being deleted"}
end
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "no run of the reconciler has written it yet"}
end

local last = (status.contents or {})[1]
if last == nil then
  return {status = "Healthy", message = "nothing has run"}
end
local message = last.state
if last.run ~= nil then
  message = last.run .. ": " .. message
end
if last.phase ~= nil then
  message = message .. ", " .. last.phase
end
return {status = "Healthy", message = message}
