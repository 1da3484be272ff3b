#!/bin/sh
# Make the base image of the runtime where no image registry is reachable, from Debian packages.
#
#   sudo worker/runtime/make-base.sh [TAG]      TAG defaults to python:3.11-slim
#
# Needs root, debootstrap, docker and a Debian mirror (ROSTRUM_DEBIAN_MIRROR, or debootstrap's own
# choice). Takes a few minutes, once per machine.
set -eu

tag="${1:-python:3.11-slim}"
suite=bookworm # its python3 is 3.11

for tool in debootstrap docker tar; do
    command -v "$tool" >/dev/null || { echo "make-base: '$tool' is missing; install it first" >&2; exit 2; }
done
[ "$(id -u)" -eq 0 ] || { echo "make-base: debootstrap needs root; run it with sudo" >&2; exit 2; }

root="$(mktemp -d /var/tmp/rostrum-base.XXXXXX)"
trap 'rm -rf "$root"' EXIT INT TERM

echo "make-base: Debian $suite with python3 into $tag (one-time step, a few minutes)" >&2
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates \
    "$suite" "$root" ${ROSTRUM_DEBIAN_MIRROR:+"$ROSTRUM_DEBIAN_MIRROR"} >&2
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
tar -C "$root" -c . | docker import --change 'CMD ["python3"]' \
    --change 'LABEL rostrum.base=debootstrap' - "$tag"
