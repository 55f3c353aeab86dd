#!/bin/bash
# Installs shardmill on one machine of a Dataproc cluster, from an archive of wheels in the bucket, without the internet.
# Dataproc runs it as root on every machine before the cluster is ready; what fails here fails the cluster's creation.
set -euo pipefail

readonly WHEELS="${SHARDMILL_WHEELS:-@WHEELS@}"
readonly PYTHON_VERSION="${SHARDMILL_PYTHON_VERSION:-@PYTHON@}"
readonly HOME_FOLDER="${SHARDMILL_HOME:-@HOME@}"

fail() {
    echo "shardmill: $*" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in /opt/conda/default/bin/python /opt/conda/miniconda3/bin/python "python${PYTHON_VERSION}" python3; do
        if "${candidate}" -c "import sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '${PYTHON_VERSION}')" \
            2>/dev/null; then
            echo "${candidate}"
            return
        fi
    done
    fail "this image has no Python ${PYTHON_VERSION}, for which the wheels were built"
}

fetch() {
    local attempt
    for attempt in 1 2 3 4 5; do
        case "${WHEELS}" in
        gs://*) gcloud storage cp "${WHEELS}" "$1" || gsutil cp "${WHEELS}" "$1" ;;
        *) cp "${WHEELS}" "$1" ;;
        esac && return
        echo "shardmill: attempt ${attempt} to fetch ${WHEELS} failed" >&2
        sleep $((attempt * 3))
    done
    fail "cannot fetch ${WHEELS}; may this machine's service account read the bucket?"
}

main() {
    local python scratch
    python="$(find_python)"
    scratch="$(mktemp -d)"
    fetch "${scratch}/wheels.tar"
    tar -xf "${scratch}/wheels.tar" -C "${scratch}"
    # The image's own packages stay visible, for applications that use them; ours go before them.
    "${python}" -m venv --system-site-packages "${HOME_FOLDER}"
    "${HOME_FOLDER}/bin/python" -m pip install --quiet --disable-pip-version-check --ignore-installed \
        --no-index --find-links "${scratch}/wheels" --requirement "${scratch}/wheels/requirements.txt"
    rm -rf "${scratch}"
    "${HOME_FOLDER}/bin/shardmill" --version
}

main
