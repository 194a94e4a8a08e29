"""What git says -> what people are told (contract 7), and what they never see (contract 8, I9)."""

import base64

import pytest

from reconciler.git.messages import Told
from reconciler.logs import Redactor

TOKEN = "glpat-canary-0123456789"  # noqa: S105 - a canary
URL = "https://git.example.com/shop.git"


def told() -> Told:
    return Told(f"{URL} at main", "git.example.com", Redactor((TOKEN, f"git:{TOKEN}")))


@pytest.mark.parametrize(
    ("stderr", "what"),
    [
        pytest.param(
            "fatal: could not read Username for 'https://git.example.com': terminal prompts "
            "disabled\n",
            "git.example.com refuses the credentials, or asks for some: give a token that may read "
            "the repository with --git-token-file",
            id="no-credentials",
        ),
        pytest.param(
            "remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://x/'\n",
            "git.example.com refuses the credentials",
            id="wrong-credentials",
        ),
        pytest.param(
            "fatal: unable to access 'https://x/': The requested URL returned error: 403\n",
            "git.example.com refuses the credentials",
            id="forbidden",
        ),
        pytest.param(
            "fatal: unable to access 'https://x/': The requested URL returned error: 301\n",
            "answers with a redirection",
            id="redirection",
        ),
        pytest.param(
            "fatal: unable to access 'https://x/': Could not resolve host: x\n",
            "the name git.example.com cannot be resolved",
            id="no-such-name",
        ),
        pytest.param(
            "ssh: Could not resolve hostname x: Temporary failure in name resolution\n"
            "fatal: Could not read from remote repository.\n",
            "the name git.example.com cannot be resolved",
            id="no-such-name-for-ssh",
        ),
        pytest.param(
            "fatal: unable to access 'https://x/': SSL certificate problem: self-signed\n",
            "give its CA with --git-ca-file",
            id="certificate-by-openssl",
        ),
        pytest.param(
            "fatal: unable to access 'https://x/': server certificate verification failed.\n",
            "give its CA with --git-ca-file",
            id="certificate-by-gnutls",
        ),
        pytest.param(
            "fatal: unable to access 'https://x/': Failed to connect to x port 443 after 1 ms\n",
            "git.example.com cannot be reached, or broke off",
            id="refused",
        ),
        pytest.param(
            "error: RPC failed; curl 28 Operation too slow. Less than 1000 bytes/sec\n"
            "fatal: early EOF\n",
            "git.example.com cannot be reached, or broke off",
            id="a-byte-a-second",
        ),
        pytest.param(
            "fatal: unable to access 'https://x/': The requested URL returned error: 502\n",
            "git.example.com cannot be reached, or broke off",
            id="bad-gateway",
        ),
        pytest.param(
            "fatal: remote error: upload-pack: not our ref 0123\n",
            "the commit is not there any more",
            id="commit-is-gone",
        ),
        pytest.param(
            "error: Server does not allow request for unadvertised object 0123\n",
            "the commit is not there any more",
            id="commit-is-not-given",
        ),
        pytest.param(
            "No user exists for uid 12345\nfatal: Could not read from remote repository.\n",
            "ssh needs an entry for this user in /etc/passwd",
            id="user-without-a-name",
        ),
        pytest.param(
            "fatal: detected dubious ownership in repository at '/srv/shop.git'\n",
            "the repository belongs to another user",
            id="somebody-elses",
        ),
        pytest.param(
            "fatal: the moon is full\n",
            "git fetch failed: fatal: the moon is full",
            id="never-heard-of",
        ),
        pytest.param("", "git fetch failed: without a word", id="nothing"),
    ],
)
def test_a_failure_is_told_with_what_to_do(stderr: str, what: str) -> None:
    """Contract 7: exit 3 comes with one line that helps."""
    message = str(told().failed("fetch", stderr))
    assert message.startswith(f"cannot read {URL} at main: ")
    assert what in message


def test_git_s_own_verdict_is_shown_behind_ours() -> None:
    """Contract 7: who knows git finds the words to search for, those that tell the cause."""
    known = "hint: x\nfatal: detected dubious ownership at 'x'\nfatal: Could not read.\n\n"
    assert str(told().failed("fetch", known)).endswith(
        "change its owner (git: fatal: detected dubious ownership at 'x')"
    )
    unknown = "warning: x\nerror: first\nfatal: last\nhint: y\n\n"
    assert str(told().failed("fetch", unknown)).endswith("git fetch failed: fatal: last")


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(TOKEN, id="as-it-is"),
        pytest.param(base64.b64encode(f"git:{TOKEN}".encode()).decode(), id="basic"),
        pytest.param(f"https://git:{TOKEN}@git.example.com/", id="in-a-url"),
        pytest.param(f"Authorization: Bearer {TOKEN}", id="in-a-header"),
        pytest.param("https://git.example.com/?private_token=other-canary", id="in-a-query"),
        pytest.param("https://dana:other-canary@git.example.com/", id="of-somebody-else"),
    ],
)
def test_a_secret_is_in_no_message_whatever_the_server_repeats(form: str) -> None:
    """Contract 8, I9: every text goes through one redaction."""
    for message in (told().failed("fetch", f"fatal: remote error: {form}\n"), told().error(form)):
        assert "canary" not in str(message)
        assert form not in str(message)


def test_a_message_is_one_short_line_that_a_terminal_does_not_obey() -> None:
    """Contract 8, I9: what a server sends is shown, never trusted."""
    hostile = "fatal: \x1b[2J\x07\u202egnp\u2028\n" + "fatal: " + "x" * 4000 + "\x00\r\n"
    message = str(told().failed("fetch", f"{hostile}fatal: \x1b]0;title\x07 done \u202e\n"))
    assert message.isprintable()
    assert len(message) <= 512
    assert len(str(told().error("y" * 4000))) == 512
