//! The system calls a sandbox may make: an allow-list in OCI form.
//!
//! What is not listed gets `ENOSYS`, so that a libc which tries a newer call falls back to an older one. What is known and
//! refused gets `EPERM`. Absent on purpose: everything that makes or enters namespaces, mounts, tracing, `bpf`, keyrings,
//! `io_uring`, `userfaultfd`, modules, clocks, and every architecture but the machine's own.

use serde_json::{Value, json};

/// Allowed with any arguments.
const ALLOWED: &[&str] = &[
    // Files and folders.
    "access",
    "chdir",
    "chmod",
    "chown",
    "close",
    "close_range",
    "copy_file_range",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fallocate",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "fcntl",
    "fdatasync",
    "fgetxattr",
    "flistxattr",
    "flock",
    "fremovexattr",
    "fsetxattr",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "futimesat",
    "getcwd",
    "getdents",
    "getdents64",
    "getxattr",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "lchown",
    "lgetxattr",
    "link",
    "linkat",
    "listxattr",
    "llistxattr",
    "lremovexattr",
    "lseek",
    "lsetxattr",
    "lstat",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readlink",
    "readlinkat",
    "readv",
    "removexattr",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "setxattr",
    "splice",
    "stat",
    "statfs",
    "statx",
    "symlink",
    "symlinkat",
    "sync",
    "sync_file_range",
    "syncfs",
    "tee",
    "truncate",
    "umask",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimes",
    "write",
    "writev",
    // Waiting, pipes and events.
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd",
    "eventfd2",
    "io_cancel",
    "io_destroy",
    "io_getevents",
    "io_pgetevents",
    "io_setup",
    "io_submit",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "pselect6",
    "select",
    "signalfd",
    "signalfd4",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_settime",
    // Memory.
    "brk",
    "futex",
    "futex_requeue",
    "futex_wait",
    "futex_waitv",
    "futex_wake",
    "get_mempolicy",
    "madvise",
    "map_shadow_stack",
    "membarrier",
    "memfd_create",
    "mincore",
    "mlock",
    "mlock2",
    "mlockall",
    "mmap",
    "mprotect",
    "mremap",
    "mseal",
    "msync",
    "munlock",
    "munlockall",
    "munmap",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    "remap_file_pages",
    "shmat",
    "shmctl",
    "shmdt",
    "shmget",
    // Processes, threads and signals.
    "alarm",
    "arch_prctl",
    "capget",
    "capset",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "fork",
    "get_robust_list",
    "get_thread_area",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getitimer",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "getsid",
    "gettid",
    "getuid",
    "ioprio_get",
    "ioprio_set",
    "kill",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "pause",
    "pidfd_open",
    "pidfd_send_signal",
    "prctl",
    "prlimit64",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_tgsigqueueinfo",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_rr_get_interval",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "sched_yield",
    "seccomp",
    "set_robust_list",
    "set_thread_area",
    "set_tid_address",
    "setfsgid",
    "setfsuid",
    "setgid",
    "setgroups",
    "setitimer",
    "setpgid",
    "setpriority",
    "setregid",
    "setresgid",
    "setresuid",
    "setreuid",
    "setrlimit",
    "setsid",
    "setuid",
    "sigaltstack",
    "tgkill",
    "tkill",
    "vfork",
    "wait4",
    "waitid",
    // Sockets, once they are open; which may be opened stands below.
    "accept",
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "listen",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socketpair",
    // System V and POSIX queues, which the ipc namespace keeps apart.
    "mq_getsetattr",
    "mq_notify",
    "mq_open",
    "mq_timedreceive",
    "mq_timedsend",
    "mq_unlink",
    "msgctl",
    "msgget",
    "msgrcv",
    "msgsnd",
    "semctl",
    "semget",
    "semop",
    "semtimedop",
    // Time and the machine as everybody sees it.
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "getcpu",
    "getrandom",
    "gettimeofday",
    "nanosleep",
    "sysinfo",
    "time",
    "timer_create",
    "timer_delete",
    "timer_getoverrun",
    "timer_gettime",
    "timer_settime",
    "times",
    "uname",
];

/// Refused with `EPERM`: a program that asks for these should hear no, not that they do not exist.
const REFUSED: &[&str] = &[
    "acct",
    "add_key",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "adjtimex",
    "delete_module",
    "fanotify_init",
    "fanotify_mark",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "migrate_pages",
    "modify_ldt",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "name_to_handle_at",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "set_mempolicy",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "umount2",
    "unshare",
    "userfaultfd",
    "vhangup",
    "vmsplice",
];

/// Kinds of sockets: unix, IPv4, IPv6, and netlink, which libc asks for the machine's addresses.
const FAMILIES: [u64; 4] = [1, 2, 10, 16];

/// Every flag of `clone` that makes a namespace.
const CLONE_NEW: u64 = 0x7e02_0080;

/// Personalities that change nothing of what is protected.
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Type byte of the requests of btrfs, and the bits of a request number that hold it.
const BTRFS_TYPE: u64 = 0x94;
const TYPE_SHIFT: u32 = 8;

/// Requests of that type which every filesystem knows and which only share what the caller may read and write already:
/// `FICLONE`, `FICLONERANGE`, and `FIDEDUPERANGE`, also as a libc spells it that takes request numbers for signed.
const SHARING: [u64; 4] = [0x4004_9409, 0x4020_940d, 0xc018_9436, 0xffff_ffff_c018_9436];

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// `ioctl` for every request but those of btrfs: a solution that made subvolumes in its own folder would keep the volume from
/// being snapshotted whole and destroyed.
///
/// The kernel reads 32 bits of the request where a filter compares 64, so a refusal of single numbers would be passed by
/// setting a bit above them; and a rule without arguments wins over every rule with some. So nothing is refused here: what
/// differs from the type in at least one of its bits is allowed, one rule for each bit, and the rest falls to the default.
fn ioctls() -> Vec<Value> {
    let allow = |arg: Value| json!({"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [arg]});
    let other_type = (TYPE_SHIFT..TYPE_SHIFT + 8).map(|bit| {
        let mask = 1_u64 << bit;
        let differs = !(BTRFS_TYPE << TYPE_SHIFT) & mask;
        json!({"index": 1, "value": mask, "valueTwo": differs, "op": "SCMP_CMP_MASKED_EQ"})
    });
    let sharing = SHARING.into_iter().map(|request| json!({"index": 1, "value": request, "op": "SCMP_CMP_EQ"}));
    other_type.chain(sharing).map(allow).collect()
}

/// The profile, for `linux.seccomp` of an OCI configuration.
#[must_use]
pub(crate) fn profile() -> Value {
    let equals = |name: &str, value: u64| {
        json!({"names": [name], "action": "SCMP_ACT_ALLOW",
               "args": [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}]})
    };
    let mut rules = vec![
        json!({"names": ALLOWED, "action": "SCMP_ACT_ALLOW"}),
        json!({"names": REFUSED, "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM}),
        // The flags of clone3 lie in memory where a filter cannot look; libc falls back to clone.
        json!({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}),
        json!({"names": ["clone"], "action": "SCMP_ACT_ALLOW",
               "args": [{"index": 0, "value": CLONE_NEW, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]}),
    ];
    rules.extend(FAMILIES.map(|family| equals("socket", family)));
    rules.extend(PERSONALITIES.map(|persona| equals("personality", persona)));
    rules.extend(ioctls());
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": ENOSYS,
        "architectures": [if cfg!(target_arch = "aarch64") { "SCMP_ARCH_AARCH64" } else { "SCMP_ARCH_X86_64" }],
        "syscalls": rules,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_both_allowed_and_refused() {
        let both: Vec<_> = ALLOWED.iter().filter(|name| REFUSED.contains(name)).collect();
        assert!(both.is_empty(), "{both:?}");
        for name in ["unshare", "bpf", "keyctl", "io_uring_setup", "ptrace", "mount", "setns", "userfaultfd"] {
            assert!(REFUSED.contains(&name), "{name}");
        }
        for name in ["clone", "clone3", "socket", "personality", "ioctl"] {
            assert!(!ALLOWED.contains(&name), "{name} is allowed by its arguments only");
        }
    }

    #[test]
    fn every_namespace_flag_is_in_the_mask() {
        // NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, as in linux/sched.h.
        let flags = [0x80, 0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];
        assert_eq!(flags.iter().fold(0, |mask, flag| mask | flag), CLONE_NEW);
    }
}
