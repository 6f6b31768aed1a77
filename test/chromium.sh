#!/usr/bin/env bash
# Makes sure that there is a Chromium for the browser tests.
set -eu
[ -x /usr/bin/chromium ] && exit 0
line="apt-get update && apt-get install -y chromium"
if [ "$(id -u)" != 0 ]; then
  echo "The browser tests need Chromium. Run this as root, then try again:" >&2
  echo "  $line" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq chromium
