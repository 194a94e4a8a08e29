-- The status is the executor's, who need not write conditions or observedGeneration: the phase
-- decides, and any phase but Completed and Failed means active. A failed attempt is Degraded here
-- and nowhere else: Argo CD does not pass health on to the workflow, which may try again.

local status = obj.status or {}
local phase = status.phase or ""
local message = status.lastError or status.reason or ""

if obj.metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = "being deleted"}
end
if phase == "Completed" then
  return {status = "Healthy", message = message}
end
if phase == "Failed" then
  return {status = "Degraded", message = message}
end
if phase == "" then
  return {status = "Progressing", message = "no executor has picked it up yet"}
end
return {status = "Progressing", message = phase}
