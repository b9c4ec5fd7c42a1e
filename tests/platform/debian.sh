# Debians beside this one, to be sourced: each in a folder of its own, made by debootstrap and entered by chroot.

# debian_check WHAT PROGRAM…: fail unless this is root on a Debian; install what is missing, by the name of its package
debian_check() {
    local what=$1 missing=() program
    shift
    if [[ $EUID != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "$what: takes root on a Debian machine, for debootstrap and chroot" >&2
        return 1
    fi
    for program in "$@"; do
        command -v "$program" >/dev/null ||
            dpkg-query -W -f='${Status}' "$program" 2>/dev/null | grep -q "ok installed" || missing+=("$program")
    done
    ((${#missing[@]} == 0)) || (apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}")
}

# debian_forget FOLDER: remove what is kept there, but for the lock, which whoever calls this has and others wait for
debian_forget() {
    find "$1" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
}

# debian_make FOLDER SUITE PACKAGE… [-- OPTION…]: make one, unless the folder holds just that already
debian_make() {
    local folder=$1 suite=$2 packages=() scripts=/usr/share/debootstrap/scripts
    shift 2
    while (($#)) && [[ $1 != -- ]]; do packages+=("$1") && shift; done
    (($# == 0)) || shift
    local wanted="$suite ${packages[*]} $*"
    [[ $(cat "$folder/complete" 2>/dev/null) != "$wanted" ]] || return 0
    echo "making a Debian $suite in $folder"
    rm -rf "$folder"
    [[ -e $scripts/$suite ]] || ln -s sid "$scripts/$suite" # a debootstrap older than the suite
    # in mounts of its own: it leaves some behind when it is killed
    unshare --mount debootstrap --variant=minbase ${packages[0]:+--include="$(IFS=, && echo "${packages[*]}")"} "$@" "$suite" "$folder" \
        >"$folder.log" 2>&1 || { tail -5 "$folder.log" >&2 && return 1; }
    echo "$wanted" >"$folder/complete"
}

# debian_run FOLDER [FROM:TO[:ro]]… -- COMMAND…: run a command in one, beside it see some of our folders. Mounts and
# processes are its own and end with it. So are its environment, but for what pip is told of registries, and its
# /dev/shm; the network is ours.
debian_run() {
    local folder=$1 mounts=() variables=() name
    shift
    while [[ $1 != -- ]]; do mounts+=("$1") && shift; done
    shift
    for name in $(compgen -e); do
        case $name in
        PIP_CONFIG_FILE | PIP_FIND_LINKS) ;; # files of this machine
        PIP_* | SSL_CERT_* | *_CA_BUNDLE | *_proxy | *_PROXY | CI) variables+=("$name=${!name}") ;;
        esac
    done
    local file
    for file in resolv.conf hosts; do
        cp -L "/etc/$file" "$folder/etc/$file"
    done
    [[ ! -d /etc/ssl/certs ]] || mounts+=(/etc/ssl/certs:/etc/ssl/certs:ro)
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child bash -euc '
        debian=$1 && shift
        mount --bind "$debian" "$debian" # whose root is a mount then, as tests inside take it that / is
        while [[ $1 != -- ]]; do
            IFS=: read -r from to options <<<"$1" && shift
            mkdir -p "$debian$to"
            mount --bind "$from" "$debian$to"
            [[ -z $options ]] || mount -o "remount,bind,$options" "$debian$to"
        done
        shift
        mount -t proc proc "$debian/proc"
        mount -t sysfs -o ro sysfs "$debian/sys"
        mount --rbind /dev "$debian/dev"
        mount -t tmpfs -o mode=1777 tmpfs "$debian/dev/shm"
        mount -t tmpfs -o mode=1777 tmpfs "$debian/tmp"
        chroot "$debian" "$@" && exit # not by exec: process 1 is deaf to signals
    ' - "$folder" "${mounts[@]}" -- \
        env -i HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        "${variables[@]}" "$@"
}

# debian_copy ROOT FOLDER: this project's files as they are now, those that git does not know yet among them
debian_copy() {
    mkdir -p "$2"
    (cd "$1" && git ls-files -z --cached --others --exclude-standard | tar -c --null -T - --ignore-failed-read) |
        tar -x -C "$2"
}
