//! System calls made by the bare instruction, for a child on its way to its program.
//!
//! Such a child may share the daemon's memory, and always finds it as it was in the middle of something. So
//! nothing here allocates, locks or unwinds, and nothing writes `errno`: that is a word of the daemon's thread.
//! Each call answers with the kernel's own number instead.

use std::convert::Infallible;
use std::ffi::{CStr, c_char, c_long};
use std::os::fd::RawFd;

use nix::errno::Errno;

/// Whether calls can be made without libc here. Elsewhere a child needs a copy of the memory, `errno` included.
pub(crate) const IS_BARE: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// What the kernel's `struct sigaction` has at most, in words.
const SIGACTION_WORDS: usize = 4;
/// The length of the kernel's signal set, in bytes: 64 signals.
const SIGSET_LEN: usize = 8;
/// An id that nobody has: asking for it changes nothing and tells the present one.
const NO_ID: u32 = u32::MAX;
/// What the kernel answers in place of an error is below this, seen as an unsigned number.
const ERRORS_FROM: usize = -4095_isize as usize;

/// # Safety
///
/// What the manual page of the call wants of its arguments.
#[cfg(target_arch = "x86_64")]
unsafe fn syscall(number: c_long, args: [usize; 5]) -> usize {
    let answer;
    // SAFETY: the kernel changes rax, rcx and r11, and what memory the caller has vouched for.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => answer,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2], in("r10") args[3], in("r8") args[4],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

/// # Safety
///
/// What the manual page of the call wants of its arguments.
#[cfg(target_arch = "aarch64")]
unsafe fn syscall(number: c_long, args: [usize; 5]) -> usize {
    let answer;
    // SAFETY: the kernel changes x0, and what memory the caller has vouched for.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] => answer,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4],
            options(nostack),
        );
    }
    answer
}

/// # Safety
///
/// What the manual page of the call wants of its arguments.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn syscall(number: c_long, [a, b, c, d, e]: [usize; 5]) -> usize {
    // SAFETY: the caller has vouched for it; by `IS_BARE`, the errno it writes is the child's own.
    match unsafe { libc::syscall(number, a, b, c, d, e) } {
        -1 => 0_usize.wrapping_sub(Errno::last_raw().cast_unsigned() as usize),
        answer => answer.cast_unsigned() as usize,
    }
}

/// # Safety
///
/// What the manual page of the call wants of its arguments.
unsafe fn call<const N: usize>(number: c_long, args: [usize; N]) -> nix::Result<usize> {
    let mut all = [0; 5];
    all[..N].copy_from_slice(&args);
    // SAFETY: the caller has vouched for the arguments; the kernel does not look at the others.
    let answer = unsafe { syscall(number, all) };
    if answer < ERRORS_FROM {
        return Ok(answer);
    }
    let errno = 0_usize.wrapping_sub(answer);
    Err(Errno::from_raw(i32::try_from(errno).unwrap_or(libc::EIO)))
}

/// A call that is given numbers and touches no memory.
fn plain<const N: usize>(number: c_long, args: [usize; N]) -> nix::Result<usize> {
    // SAFETY: used for such calls alone.
    unsafe { call(number, args) }
}

/// A signed argument, as the kernel's registers have it.
fn signed(number: i32) -> usize {
    number as isize as usize
}

/// Begins a session, without a terminal, and a group in it.
pub(crate) fn begin_session() -> nix::Result<()> {
    plain(libc::SYS_setsid, []).map(drop)
}

/// Makes `terminal` the one that controls this session.
pub(crate) fn take_terminal(terminal: RawFd) -> nix::Result<()> {
    let request = libc::TIOCSCTTY as usize;
    plain(libc::SYS_ioctl, [signed(terminal), request, 0]).map(drop)
}

/// Makes `onto` another name of `fd`, to be kept at exec.
pub(crate) fn put(fd: RawFd, onto: RawFd) -> nix::Result<()> {
    if fd == onto {
        let keep = [signed(fd), libc::F_SETFD as usize, 0];
        return plain(libc::SYS_fcntl, keep).map(drop);
    }
    plain(libc::SYS_dup3, [signed(fd), signed(onto), 0]).map(drop)
}

/// Writes at most so many bytes.
pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> nix::Result<usize> {
    let args = [signed(fd), bytes.as_ptr().addr(), bytes.len()];
    // SAFETY: the kernel reads so many bytes of the slice.
    unsafe { call(libc::SYS_write, args) }
}

/// Opens a file to write it; its descriptor is closed at exec.
pub(crate) fn open_to_write(path: &CStr) -> nix::Result<RawFd> {
    let flags = libc::O_WRONLY | libc::O_CLOEXEC;
    let args = [
        signed(libc::AT_FDCWD),
        path.as_ptr().addr(),
        signed(flags),
        0,
    ];
    // SAFETY: the kernel reads the path to its end.
    let fd = unsafe { call(libc::SYS_openat, args) }?;
    RawFd::try_from(fd).map_err(|_| Errno::EBADF)
}

/// Sets a resource limit of this process.
pub(crate) fn set_limit(resource: u32, soft: u64, hard: u64) -> nix::Result<()> {
    let limit = [soft, hard];
    let args = [0, resource as usize, limit.as_ptr().addr(), 0];
    // SAFETY: the kernel reads two words from `limit`, and tells no old limit through null.
    unsafe { call(libc::SYS_prlimit64, args) }.map(drop)
}

/// Sets the nice value of this process.
pub(crate) fn set_nice(nice: i32) -> nix::Result<()> {
    let who = libc::PRIO_PROCESS as usize;
    plain(libc::SYS_setpriority, [who, 0, signed(nice)]).map(drop)
}

/// Sets the file mode creation mask of this process.
pub(crate) fn set_umask(mask: u32) {
    // It cannot fail; the answer is the mask before.
    let _ = plain(libc::SYS_umask, [mask as usize]);
}

/// Sets the supplementary groups of this thread.
pub(crate) fn set_groups(groups: &[u32]) -> nix::Result<()> {
    let args = [groups.len(), groups.as_ptr().addr()];
    // SAFETY: the kernel reads as many ids as the slice has.
    unsafe { call(libc::SYS_setgroups, args) }.map(drop)
}

/// Sets real, effective, saved and filesystem gid of this thread.
pub(crate) fn set_gid(gid: u32) -> nix::Result<()> {
    plain(libc::SYS_setresgid, [gid as usize; 3]).map(drop)
}

/// Sets real, effective, saved and filesystem uid of this thread.
pub(crate) fn set_uid(uid: u32) -> nix::Result<()> {
    plain(libc::SYS_setresuid, [uid as usize; 3]).map(drop)
}

/// Real, effective, saved and filesystem uid of this thread.
pub(crate) fn uids() -> nix::Result<[u32; 4]> {
    ids(libc::SYS_getresuid, libc::SYS_setfsuid)
}

/// Real, effective, saved and filesystem gid of this thread.
pub(crate) fn gids() -> nix::Result<[u32; 4]> {
    ids(libc::SYS_getresgid, libc::SYS_setfsgid)
}

fn ids(three: c_long, of_files: c_long) -> nix::Result<[u32; 4]> {
    let [mut real, mut effective, mut saved] = [NO_ID; 3];
    let args = [&raw mut real, &raw mut effective, &raw mut saved].map(|id| id.addr());
    // SAFETY: the kernel writes one id to each of the three.
    unsafe { call(three, args) }?;
    let of_files = plain(of_files, [NO_ID as usize])?;
    Ok([real, effective, saved, of_files as u32])
}

/// The supplementary groups of this thread, as many as `room` has space for.
pub(crate) fn groups(room: &mut [u32]) -> nix::Result<&[u32]> {
    // A length of zero would ask for the number alone.
    let len = room.len().clamp(1, i32::MAX as usize);
    if room.is_empty() {
        return Err(Errno::EINVAL);
    }
    let args = [len, room.as_mut_ptr().addr()];
    // SAFETY: the kernel writes at most `len` ids to `room`.
    let count = unsafe { call(libc::SYS_getgroups, args) }?;
    room.get(..count).ok_or(Errno::EINVAL)
}

/// Lets no program that this process becomes gain a right.
pub(crate) fn set_no_new_privs() -> nix::Result<()> {
    let option = libc::PR_SET_NO_NEW_PRIVS as usize;
    plain(libc::SYS_prctl, [option, 1, 0, 0, 0]).map(drop)
}

/// Enters a directory.
pub(crate) fn enter(directory: &CStr) -> nix::Result<()> {
    // SAFETY: the kernel reads the path to its end.
    unsafe { call(libc::SYS_chdir, [directory.as_ptr().addr()]) }.map(drop)
}

/// Gives every signal its default action, then unblocks all.
pub(crate) fn reset_signals() -> nix::Result<()> {
    let default = [0_u64; SIGACTION_WORDS];
    for signal in 1..=64 {
        // All 64, because glibc keeps 32 and 33 to itself. KILL and STOP refuse, and need nothing.
        let args = [signal, default.as_ptr().addr(), 0, SIGSET_LEN];
        // SAFETY: zeroes are SIG_DFL without flags, and `default` is no shorter than the kernel's struct.
        let _ = unsafe { call(libc::SYS_rt_sigaction, args) };
    }
    set_signal_mask(0)
}

/// Blocks every signal that can be; tells what was blocked before.
pub(crate) fn block_signals() -> nix::Result<u64> {
    let (all, mut before) = (u64::MAX, 0_u64);
    let set = libc::SIG_SETMASK as usize;
    let args = [
        set,
        (&raw const all).addr(),
        (&raw mut before).addr(),
        SIGSET_LEN,
    ];
    // SAFETY: the kernel reads SIGSET_LEN bytes from `all` and writes as many to `before`.
    unsafe { call(libc::SYS_rt_sigprocmask, args) }?;
    Ok(before)
}

/// Blocks the signals of this set, as the kernel has it, and no other.
pub(crate) fn set_signal_mask(mask: u64) -> nix::Result<()> {
    let set = libc::SIG_SETMASK as usize;
    let args = [set, (&raw const mask).addr(), 0, SIGSET_LEN];
    // SAFETY: the kernel reads SIGSET_LEN bytes from `mask` and writes nothing through null.
    unsafe { call(libc::SYS_rt_sigprocmask, args) }.map(drop)
}

/// Marks every descriptor from `first` on to be closed at exec, whoever opened it.
pub(crate) fn close_on_exec_from(first: u32) -> nix::Result<()> {
    let flag = libc::CLOSE_RANGE_CLOEXEC as usize;
    let args = [first as usize, u32::MAX as usize, flag];
    // With this flag nothing is closed here, and no owner of a descriptor is deceived.
    plain(libc::SYS_close_range, args).map(drop)
}

/// What kind of file this is: one of the kernel's `S_IFMT`.
pub(crate) fn kind(path: &CStr) -> nix::Result<u32> {
    // SAFETY: statx is plain data for which zeroes are a value.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    let mask = libc::STATX_TYPE as usize;
    let (path, answer) = (path.as_ptr().addr(), (&raw mut found).addr());
    let args = [signed(libc::AT_FDCWD), path, 0, mask, answer];
    // SAFETY: the kernel reads the path to its end and writes one statx to `found`.
    unsafe { call(libc::SYS_statx, args) }?;
    Ok(u32::from(found.stx_mode) & libc::S_IFMT)
}

/// Becomes another program; returns only if that failed, with the reason.
///
/// # Safety
///
/// `argv` and `env` end with null, and what they point to are strings.
pub(crate) unsafe fn exec(
    path: &CStr,
    argv: &[*const c_char],
    env: &[*const c_char],
) -> nix::Result<Infallible> {
    let args = [
        path.as_ptr().addr(),
        argv.as_ptr().addr(),
        env.as_ptr().addr(),
    ];
    // SAFETY: the caller has vouched for it.
    unsafe { call(libc::SYS_execve, args) }?;
    Err(Errno::ENOEXEC)
}

/// Ends this process at once, without a handler.
pub(crate) fn exit(code: i32) -> ! {
    loop {
        let _ = plain(libc::SYS_exit_group, [signed(code)]);
    }
}
