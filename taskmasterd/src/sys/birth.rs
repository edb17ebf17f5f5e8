//! The birth of a child: with a copy of the daemon's memory, or, four times cheaper, within that memory itself.
//!
//! A child within our memory runs beside us, on a stack of its own, until it becomes its program or dies.
//! Nobody waits for it, as vfork(2) would: a slow disk is the child's business. All that it may touch, its task
//! and its stack, is lent to it and comes back with the end of a pipe whose other end it alone holds. The
//! kernel closes that end at exec after it has left our memory, and at exit too (`begin_new_exec`: `exec_mmap`,
//! then `do_close_on_exec`; `do_exit`: `exit_mm`, then `exit_files`).
//!
//! Descriptors, signal actions, limits, directory and mask are the child's own either way.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use super::{Arena, Child, cvt, raw};

/// The stack of a child in our memory, its guard included: the child side takes about one kilobyte, unoptimised
/// ten, and what is not touched costs nothing.
const STACK_LEN: usize = 64 * 1024;
/// What lies below the stack and cannot be touched: a page, of the largest size there is.
const GUARD_LEN: usize = 64 * 1024;

/// The memory a child has until it becomes its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// A copy of ours.
    Copied,
    /// Ours.
    Shared,
}

/// What a child does: it is given its task, and the descriptor on which it can say why it failed.
pub type ChildSide<T> = fn(&mut T, RawFd) -> !;

/// A child on its way to its program, and what was lent to it for the way.
#[derive(Debug)]
pub struct Becoming {
    pipe: OwnedFd,
    /// Never looked at until the pipe has ended: the child has it.
    lent: Option<Loan>,
}

/// What a child uses that shares our memory.
#[derive(Debug)]
struct Loan {
    _task: OnHeap,
    _stack: Arena,
}

/// A `Box` that is a bare pointer, because another process works on what it owns.
#[derive(Debug)]
struct OnHeap(*mut dyn Any);

impl Drop for OnHeap {
    fn drop(&mut self) {
        // SAFETY: it came from `Box::into_raw`, once, and a loan is dropped only when the child is done with it.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

impl Becoming {
    /// Reads what the child has to say, without waiting; the end, which is 0 bytes, means that it has become its
    /// program or is dead.
    pub fn read(&mut self, said: &mut [u8]) -> io::Result<usize> {
        assert!(!said.is_empty(), "to read nothing would look like the end");
        let len = nix::unistd::read(&self.pipe, said)?;
        if len == 0 {
            self.lent = None;
        }
        Ok(len)
    }
}

impl AsFd for Becoming {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl Drop for Becoming {
    /// Whoever looks away before the end leaves the loan to the child for good.
    fn drop(&mut self) {
        while self.lent.is_some() && self.read(&mut [0; 64]).is_ok_and(|len| len > 0) {}
        std::mem::forget(self.lent.take());
    }
}

/// Makes a child of this process that does `child_side` and nothing else of ours.
///
/// The handle comes from the same call as the child, so there is no moment in which a child exists that
/// cannot be signalled for want of a descriptor.
///
/// # Safety
///
/// `child_side` uses its task, constants, its own stack and `raw`, nothing else: it does not allocate, lock,
/// unwind or touch what belongs to a thread. It does not close the descriptor it is given.
pub unsafe fn birth<T: 'static>(
    memory: Memory,
    task: T,
    child_side: ChildSide<T>,
) -> io::Result<(Child, Becoming)> {
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    let theirs_raw = theirs.as_raw_fd();
    // Else the child would close it by connecting its own, and we would take that for its end.
    assert!(theirs_raw > 2, "descriptors 0 to 2 are always open");
    let (child, lent) = match memory {
        Memory::Shared if raw::IS_BARE => {
            // SAFETY: the caller has vouched for `child_side`.
            let (child, loan) = unsafe { share(task, child_side, theirs_raw) }?;
            (child, Some(loan))
        }
        // SAFETY: the caller has vouched for `child_side`.
        Memory::Shared | Memory::Copied => (unsafe { copy(task, child_side, theirs_raw) }?, None),
    };
    Ok((child, Becoming { pipe: ours, lent }))
}

/// What the first function on the new stack needs to know.
struct Start<T> {
    task: T,
    child_side: ChildSide<T>,
    status: RawFd,
}

/// # Safety
///
/// As [`birth`] wants it.
unsafe fn share<T: 'static>(
    task: T,
    child_side: ChildSide<T>,
    status: RawFd,
) -> io::Result<(Child, Loan)> {
    let stack = stack()?;
    // The highest address is aligned as every machine wants it, being that of a page.
    let top = stack.as_ptr().wrapping_add(stack.len());
    let start = Box::new(Start {
        task,
        child_side,
        status,
    });
    let start = Box::into_raw(start);
    let loan = Loan {
        _task: OnHeap(start),
        _stack: stack,
    };
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_PIDFD | libc::SIGCHLD;
    // Until it has put them off, our signal handlers are the child's as well, and would run in our memory.
    let mask = raw::block_signals()?;
    // SAFETY: the child runs `begin` on a stack that nobody else uses, with a start that nobody else looks at;
    // both stay where they are until it is done, by `Becoming`. It shares our thread's `errno`, canary and the
    // like, and writes none of them. The kernel writes one descriptor to `pidfd`, which outlives the call.
    let pid = cvt(unsafe {
        libc::clone(
            begin::<T>,
            top.cast_mut().cast(),
            flags,
            start.cast(),
            &raw mut pidfd,
        )
    }
    .into());
    // A mask that was ours a moment ago is not refused; and the loan may not be dropped now.
    let _ = raw::set_signal_mask(mask);
    let pid = pid?;
    // SAFETY: the call succeeded, so `pidfd` is new and nobody else's.
    Ok((unsafe { Child::born(pid, pidfd) }, loan))
}

extern "C" fn begin<T>(start: *mut c_void) -> c_int {
    // SAFETY: it is the start that `share` made for this child, which alone uses it.
    let start = unsafe { &mut *start.cast::<Start<T>>() };
    (start.child_side)(&mut start.task, start.status)
}

fn stack() -> io::Result<Arena> {
    let stack = Arena::new(GUARD_LEN + STACK_LEN)?;
    let lowest = ptr::from_ref(&stack[0]).cast_mut().cast();
    // SAFETY: it is our own mapping, which as a stack is not used through any reference.
    cvt(unsafe { libc::mprotect(lowest, GUARD_LEN, libc::PROT_NONE) }.into())?;
    Ok(stack)
}

/// # Safety
///
/// As [`birth`] wants it.
unsafe fn copy<T>(mut task: T, child_side: ChildSide<T>, status: RawFd) -> io::Result<Child> {
    let mut pidfd: c_int = -1;
    let flags = libc::c_long::from(libc::CLONE_PIDFD | libc::SIGCHLD);
    let no_stack = ptr::null::<u8>();
    // SAFETY: without CLONE_VM the child has its own copy of this memory and goes on from here on the same
    // stack. The kernel writes one descriptor to `pidfd`, which outlives the call.
    let pid =
        cvt(unsafe { libc::syscall(libc::SYS_clone, flags, no_stack, &raw mut pidfd, 0, 0) })?;
    if pid == 0 {
        child_side(&mut task, status)
    }
    // SAFETY: the call succeeded, so `pidfd` is new and nobody else's.
    Ok(unsafe { Child::born(pid, pidfd) })
}
