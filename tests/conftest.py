"""Every suite may ask for the control plane or a git server; nothing starts before a test does."""

pytest_plugins = ("tests.controlplane", "tests.gitservers")
