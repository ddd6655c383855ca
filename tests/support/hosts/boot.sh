# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# Makes a host of new namespaces and becomes its first process. Its environment (see host.py):
#
#   base     where all of the host is
#   name     of the host
#   first    its first process, sshd or systemd
#   extra    a folder with further files, at their paths on the host
#   program  the agent's, which the host has as bao
#   bytecode a folder that all hosts share, for the bytecode of modules
#   visible  folders of this machine that the host has as well, separated by ":"
#   folder   with the keys key.pub and host_key
#   user     who logs in, with sudo for everything
#   address  and
#   port     of sshd
set -eu
: "${base:?}" "${name:?}" "${first:?}" "${extra?}" "${bytecode:?}" "${visible?}" "${folder:?}" "${user:?}" "${address:?}" "${port:?}"

root=$base/root
search_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# This machine's files, below what the host writes.
mount_files() {
    mount --make-rprivate /
    mount -t tmpfs -o mode=0700 tmpfs "$base"
    mkdir "$base/upper" "$base/work" "$root" "$base/run" "$base/home" "$base/roots" "$base/tmp" "$base/shm"
    cp -a "$extra" "$base/extra"
    mount -t overlay overlay -o "lowerdir=$base/extra:/,upperdir=$base/upper,workdir=$base/work" "$root"
    # A host has the supervisors that its test gives it, whatever is installed here.
    for place in etc/local.d etc/service etc/services.d etc/supervisor; do
        [ -e "$base/extra/$place" ] || rm -rf "${root:?}/$place"
    done
}

mount_kernel_files() {
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys" 2>/dev/null || mount --rbind /sys "$root/sys"
    if [ "$first" = systemd ]; then mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"; fi
}

mount_devices() {
    mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
    for node in null zero full random urandom tty; do
        touch "$root/dev/$node"
        mount --bind "/dev/$node" "$root/dev/$node"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
}

# Folders of which the host sees nothing of this machine's.
mount_empty_folders() {
    for made in run:run home:home root:roots tmp:tmp dev/shm:shm; do
        mount --bind "$base/${made#*:}" "$root/${made%%:*}"
    done
    chmod 0755 "$base/home" "$base/run"
    chmod 0711 "$base/roots"
    chmod 1777 "$base/tmp" "$base/shm"
}

# What the folders above hide, and the host has all the same.
mount_visible() {
    IFS=:
    for path in $visible; do
        if [ -d "$path" ]; then mkdir -p "$root$path"; else mkdir -p "$root${path%/*}"; touch "$root$path"; fi
        mount --bind "$path" "$root$path"
    done
    unset IFS
}

add_agent() {
    mkdir -p "$root/usr/local/bin"
    if [ -n "$program" ]; then
        touch "$root/usr/local/bin/bao"
        mount --bind "$program" "$root/usr/local/bin/bao"
    fi
}

# Plays send the same modules again and again. See kept_*.py. At its end, a process need not look for garbage.
keep_bytecode() {
    packages=$root/usr/lib/python3/dist-packages
    mkdir -p "$packages/kept-bytecode"
    mount --bind "$bytecode" "$packages/kept-bytecode"
    for file in kept kept_bytecode kept_patterns; do
        cp "${0%/*}/$file.py" "$packages/$file.py"
    done
    echo "import kept_bytecode, kept_patterns, atexit, gc; atexit.register(gc.freeze)" > "$packages/kept_bytecode.pth"
}

set_name() {
    hostname "$name"
    echo "$name" > "$root/etc/hostname"
    printf '127.0.0.1 localhost %s\n' "$name" > "$root/etc/hosts"
}

add_user() {
    sed -i "/^sshd:/d; /^$user:/d" "$root/etc/passwd" "$root/etc/shadow" "$root/etc/group"
    echo "sshd:x:998:65534::/run/sshd:/usr/sbin/nologin" >> "$root/etc/passwd"
    echo "$user:x:1998:1998::/home/$user:/bin/sh" >> "$root/etc/passwd"
    echo "$user:x:1998:" >> "$root/etc/group"
    echo "$user:*:19000::::::" >> "$root/etc/shadow"
    mkdir -p "$root/etc/sudoers.d"
    echo "$user ALL=(ALL) NOPASSWD: ALL" > "$root/etc/sudoers.d/$user"
    install -d -m 0700 -o 1998 -g 1998 "$root/home/$user" "$root/home/$user/.ssh"
    install -m 0600 -o 1998 -g 1998 "$folder/key.pub" "$root/home/$user/.ssh/authorized_keys"
}

configure_sshd() {
    mkdir -p "$root/etc/ssh" "$root/run/sshd"
    install -m 0600 "$folder/host_key" "$root/etc/ssh/light_key"
    cat > "$root/etc/ssh/light_config" <<END
Port $port
ListenAddress $address
HostKey /etc/ssh/light_key
PidFile none
UsePAM no
PasswordAuthentication no
PermitRootLogin no
PrintMotd no
UseDNS no
MaxStartups 100
Subsystem sftp internal-sftp
END
}

# Starts nothing of this machine's, and nothing that reaches for its kernel.
configure_systemd() {
    units=$root/etc/systemd/system
    rm -rf "$units"/*.wants "$units"/*.requires "$units/default.target" "$root"/lib/systemd/system/*.target.wants
    rm -rf "$root/var/log/journal" "$root/etc/machine-id"
    tr -d - < /proc/sys/kernel/random/uuid > "$root/etc/machine-id"
    mkdir -p "$units/light.target.wants"
    cat > "$units/light.target" <<END
[Unit]
Description=A host of tests
END
    cat > "$units/light-ssh.service" <<END
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/sbin/sshd -D -e -f /etc/ssh/light_config
END
    ln -s ../light-ssh.service /lib/systemd/system/systemd-journald.service "$units/light.target.wants"
}

mount_files
mount_kernel_files
mount_devices
mount_empty_folders
mount_visible
add_agent
keep_bytecode
set_name
add_user
configure_sshd
mkdir -p "$root/var/log" "$root/run/lock"
: > "$root/etc/fstab"
if [ "$first" = systemd ]; then
    configure_systemd
    exec chroot "$root" env -i container=light PATH="$search_path" \
        /lib/systemd/systemd --system --unit=light.target --log-target=console --show-status=0
fi
# A shell as the first process, which reaps the processes whose parents have ended.
exec chroot "$root" env -i PATH="$search_path" /bin/bash -c '/usr/sbin/sshd -D -e -f /etc/ssh/light_config & wait'
