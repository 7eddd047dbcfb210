//! A template: what a runtime prepares once, for all its solutions to copy. Made by an unprivileged uid inside the runtime, without network.
//! Images are made in the same way, of what they are handed.

use super::BuildError;
use super::tools::{Tools, contained};
use std::path::Path;
use std::process::Command;

/// Far below the solutions' uids and far above Debian's.
const UID: u32 = 999_999;

/// Runs inside the private namespaces: builds the small world that the script sees, and drops every right before it.
/// `$1` is the runtime, `$2` the template, `$3` the script, `$4` the uid, `$5` a folder that is seen read-only as `/mnt`, or nothing; the
/// script gets the words after it.
const WORLD: &str = r#"
set -eu
mount --bind "$1" /mnt
cd /mnt
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t tmpfs -o mode=0755,size=64k,nosuid,noexec tmpfs dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mount -t tmpfs -o mode=1777,size=256m,nosuid,nodev tmpfs tmp
mount -t tmpfs -o mode=1777,size=16m,nosuid,nodev tmpfs run
mount --bind "$2" srv
if [ -n "$5" ]; then
    mount --bind "$5" mnt
    mount -o remount,bind,ro,nosuid,nodev mnt
fi
chown "$4:$4" srv
printf 'root:x:0:0::/:/usr/sbin/nologin\nsite:x:%s:%s::/nonexistent:/bin/sh\n' "$4" "$4" > run/passwd
printf '%s\n' "$3" > run/template.sh
mount --bind run/passwd etc/passwd
hostname localhost
uid=$4
shift 5
exec chroot /mnt setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 sh -c 'cd /srv && exec sh /run/template.sh "$@"' sh "$@"
"#;

/// What a script is handed.
pub(super) struct Input<'a> {
    /// Seen as `/mnt`.
    pub(super) folder: &'a Path,
    /// Its arguments.
    pub(super) words: &'a [&'a str],
}

/// Makes a template in an empty folder, which is the script's working directory.
pub(super) fn make(
    runtime: &Path,
    template: &Path,
    script: &str,
    input: Option<Input<'_>>,
    tools: Tools<'_>,
) -> Result<(), BuildError> {
    tools.run("the template's script", &mut command(runtime, template, script, input))
}

/// What makes it.
pub(super) fn command(runtime: &Path, template: &Path, script: &str, input: Option<Input<'_>>) -> Command {
    let mut command = contained("unshare");
    command.args(["--net", "--uts", "--ipc", "--", "sh", "-c", WORLD, "sh"]);
    command.arg(runtime).arg(template).arg(script).arg(UID.to_string());
    match input {
        Some(input) => command.arg(input.folder).args(input.words),
        None => command.arg(""),
    };
    command
}
