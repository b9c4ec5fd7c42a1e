#!/usr/bin/env bash
# README's two commands on a fresh machine: a minimal Debian 12 that has CPython with venv and its headers, and no more.
#
#   fresh.sh [OPTIONS] [one] [two] …    which of them, in this order; by default both
#
#   --root     as root, instead of as an ordinary user
#   --fresh    make the Debian anew
#
# There is no compiler, no git, no Node.js and none of the tools that CI installs; pip fetches what the commands need.
# The Debian is kept in $TYPEDSHM_FRESH, by default ~/.cache/typedshm-fresh, with pip's cache: 2 GB. Takes root. Each
# run has a clone of its own, with what is committed; the second command is timed, pytest's part by pytest itself.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
home=${TYPEDSHM_FRESH:-${XDG_CACHE_HOME:-$HOME/.cache}/typedshm-fresh}
source "$here/debian.sh"

user=visitor fresh=''
while [[ ${1:-} == --* ]]; do
    case $1 in
    --root) user=root ;;
    --fresh) fresh=1 ;;
    *) echo "fresh.sh: what is $1?" >&2 && exit 2 ;;
    esac
    shift
done
(($#)) || set -- one two

debian_check fresh.sh debootstrap
mkdir -p "$home"
exec 9>"$home/lock"
flock 9 # one run at a time
[[ -z $fresh ]] || debian_forget "$home"
debian_make "$home/debian" bookworm python3 python3-venv python3-dev

[[ -d $home/debian/home/visitor ]] || debian_run "$home/debian" -- useradd --create-home visitor
clone=$home/clone
rm -rf "$clone"
git clone -q "$root" "$clone"
debian_run "$home/debian" "$clone:/mnt/typedshm" -- chown -R "$user:" /mnt/typedshm
for which in "$@"; do
    [[ $which == one || $which == two ]] || { echo "fresh.sh: README has no command $which" >&2 && exit 2; }
    command=$(sed -n "/<!-- command $which -->/,/^\`\`\`\$/p" "$clone/README.md" | grep '^python3')
    echo "\$ $command"
    debian_run "$home/debian" "$clone:/mnt/typedshm" -- \
        runuser -u "$user" -- bash -c "export HOME=~$user && cd /mnt/typedshm && time { $command; }" 9>&-
done
