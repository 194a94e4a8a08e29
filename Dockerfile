# The image of the CronJob. Pinned by tag: whoever releases it pins the digest of that day with
# --build-arg PYTHON_IMAGE=python@sha256:...
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /opt/reconciler \
    && /opt/reconciler/bin/pip install --require-hashes --only-binary :all: \
    -r requirements/build.txt -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY reconciler reconciler
# Byte code that asks no source file for its age: the root file system is read-only, and compiling
# anew at each run would cost more than the run.
RUN /opt/reconciler/bin/pip install --no-deps --no-build-isolation . \
    && /opt/reconciler/bin/pip uninstall --yes setuptools pip \
    && python -m compileall -q -f --invalidation-mode unchecked-hash /opt/reconciler/lib

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="reconciler" \
    org.opencontainers.image.description="GitOps batch reconciler for Kubernetes workflows" \
    org.opencontainers.image.licenses="Apache-2.0"
# A version of a Debian package is gone from the mirrors with the next security fix.
# Gone from git as well: the helpers through which a URL could run a program (ext), reach into a
# process (fd), or go over a protocol that nothing protects (ftp).
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git gpg openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && for helper in ext fd ftp ftps; do rm -f "$(git --exec-path)/git-remote-$helper"; done \
    && python -m pip uninstall --yes --root-user-action=ignore pip \
    && groupadd --gid 65532 reconciler \
    && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /tmp \
    --shell /usr/sbin/nologin reconciler
COPY --from=build /opt/reconciler /opt/reconciler
# Written to is /tmp alone (the fetched repository, copies of a kubeconfig's keys): with a read-only
# root file system mount an emptyDir there. PYTHONSAFEPATH: nothing is imported from where it runs.
ENV PATH=/opt/reconciler/bin:$PATH \
    HOME=/tmp TMPDIR=/tmp \
    PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1
WORKDIR /tmp
USER 65532:65532
# No init: the program handles SIGTERM as the first process itself, and leaves no child behind.
ENTRYPOINT ["reconciler"]
