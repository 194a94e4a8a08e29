-- No new step starts, active ones are asked to stop, and the phase becomes Cancelled, for good.
obj.spec.cancel = true
return obj
