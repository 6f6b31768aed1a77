#!/bin/sh
# Data and account stay, also after a purge: chats are not ours to delete.
set -e

if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
