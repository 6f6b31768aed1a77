#!/bin/sh
# Makes the account under which the server runs. Nothing is started: first the
# configuration and the agents.
set -e

if ! getent passwd halley >/dev/null; then
    useradd --system --user-group --no-create-home --home-dir /var/lib/halley --shell /usr/sbin/nologin halley
fi
install -d -m 0700 -o halley -g halley /var/lib/halley
chgrp halley /etc/halley/halley.toml
chmod 0640 /etc/halley/halley.toml

if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    # An upgrade takes effect at once. Clients come back by themselves.
    systemctl try-restart halley.service
fi
