# The image of the CronJob. `make image` builds one to try; a release is built like this, so that the
# base is pinned by the digest of that day, and what is in it goes with it (SBOM, provenance):
#
#   BASE=python:3.13-slim-trixie
#   docker buildx build --platform linux/amd64,linux/arm64 --sbom=true --provenance=mode=max \
#     --build-arg PYTHON_IMAGE="$BASE@$(docker buildx imagetools inspect --format \
#       '{{.Manifest.Digest}}' "$BASE")" \
#     --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" \
#     --tag REGISTRY/reconciler:0.1.0 --push .
#
# Python packages are pinned by hash, in requirements/; what the image holds of them is told, also
# without Docker, by:  uvx --from cyclonedx-bom cyclonedx-py requirements requirements/runtime.txt
# The tests run the build stage as it stands here (tests/chart_runs/dockerfile.py).
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
# Left out: the client's asynchronous twin, which nothing here imports and which is as large as it.
RUN python -m venv /opt/reconciler \
    && /opt/reconciler/bin/pip install --require-hashes --only-binary :all: \
    -r requirements/build.txt -r requirements/runtime.txt \
    && rm -r /opt/reconciler/lib/python3.*/site-packages/kubernetes/aio
COPY pyproject.toml README.md LICENSE ./
COPY reconciler reconciler
# Byte code that asks no source file for its age: the root file system is read-only, and compiling
# anew at each run would cost more than the run.
RUN /opt/reconciler/bin/pip install --no-deps --no-build-isolation . \
    && /opt/reconciler/bin/pip uninstall --yes setuptools pip \
    && python -m compileall -q -f --invalidation-mode unchecked-hash /opt/reconciler/lib

FROM ${PYTHON_IMAGE}
ARG PYTHON_IMAGE
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
# Last, so that a new version or commit builds nothing above anew.
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="reconciler" \
    org.opencontainers.image.description="GitOps batch reconciler for Kubernetes workflows" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="${PYTHON_IMAGE}" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
# No init: the program handles SIGTERM as the first process itself, and leaves no child behind.
ENTRYPOINT ["reconciler"]
