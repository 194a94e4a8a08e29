-- No new step starts; what is active runs on.
obj.spec.suspend = true
return obj
