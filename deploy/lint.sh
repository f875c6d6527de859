#!/usr/bin/env bash
# Lints everything that is not Rust: protos, shell, container image, compose file, Kubernetes manifests.
set -euo pipefail
cd "$(dirname "$0")/.."
buf lint
git ls-files '*.sh' .ci/run | xargs shellcheck
hadolint deploy/Containerfile
yamllint -s -c deploy/yamllint.yaml deploy
manifests=$(mktemp)
trap 'rm -f "$manifests"' EXIT
kubectl kustomize deploy/kubernetes > "$manifests"
kubernetes-validate --strict "$manifests"
echo "lint: protos, shell, image, compose and manifests are clean"
