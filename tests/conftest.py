"""Every suite may ask for the control plane; nothing starts before a test does."""

pytest_plugins = ("tests.controlplane",)
