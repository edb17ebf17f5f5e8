//! The daemon of taskmaster: **a supervisor that does no I/O, inside a reactor that takes no decisions.**
//!
//! This page is the architecture. Read it, then the modules in the order in which they stand here; an afternoon
//! should do.
//!
//! # The map, in reading order
//!
//! 1. [`config`] turns a file into plain data, [`config::model`], or into the list of all that is wrong with it;
//!    [`config::change`] says what follows from putting one in the place of another.
//! 2. [`core`] is the supervisor. `process` has the state table, `rows` a function for each of its rows, `policy`
//!    what follows a death; `supervisor` is the set of all processes, with `commands`, `reload` and `shutdown`;
//!    `waiters` holds the answers that are not due yet, `order` whose turn it is. Facts come in as
//!    [`core::Input`]s with the time, wishes go out as [`core::Effect`]s. It was meant to have 1,200 lines and has
//!    2,000, without comments: one process is a third of them, the rest is what concerns many at once, as the plan
//!    of a reload, answers that wait for several, the selection of names, and the order of a shutdown.
//! 3. [`reactor`] is the shell around it: one thread, one poll. Its turn is a page; `perform` makes wishes into
//!    deeds, `reap` buries the dead, `output` reads what processes write and `outlets` puts it where it belongs,
//!    `clients` serves the control socket, `reload` has the configuration read by a helper. At the terminals of
//!    processes, `attach` seats a client, `leader` knows whose size and answers count, `typing` takes what is typed
//!    in, `viewers` shows what is written.
//! 4. The leaves, which know neither the reactor nor each other: [`child`] makes a process, [`logs`] keeps output,
//!    [`control`] speaks the protocol, [`screen`] knows what a terminal shows, [`sinks`] take events. Below them,
//!    [`sys`] is the few calls that need `unsafe`, [`files`] opens what may be written to, [`ring`] is a buffer of
//!    the last bytes.
//! 5. [`limits`] has every bound, with its reason. What client and daemon must agree on is the crate `shared`.
//!
//! Imports run one way: `config::model` ← `core` ← `reactor` → the leaves. A test reads the sources and holds it.
//!
//! # A turn
//!
//! Sleep until there is news, the next deadline has come, or not at all if something is owed; read the clocks,
//! once; take in signals and deaths, deadlines, output, clients, in this order; settle, that is let inputs become
//! effects become inputs until nothing is left; give out what was gathered. mio reports a change once, so whoever
//! stops early, for a budget's sake, leaves a debt, and while there are debts nobody sleeps.
//!
//! # What always holds
//!
//! * A name has at most one process, ever. Its fate after a reload is carried out when it is dead.
//! * A state owns its pid and its deadline. Leaving the state forgets both.
//! * The answer of a wish reaches the core before any other news: what it asked for is never in doubt.
//! * A death is told after the last words of the dead were read, and before it is reaped. Until then its number,
//!   and that of its group, is nobody else's; signals go through a handle that reaping consumes.
//! * The output of a process is always read. Who is slow to take it (a disk, syslog, a client) loses some of it and
//!   is told how much; the process never waits.
//! * Every queue, buffer, count and retry has a limit, in [`limits`].
//! * The core can be written down and read back, and goes on as if nothing had happened.
//!
//! # What never happens where
//!
//! * In the core: a system call, a clock, a random number, a look at a file, an iteration in no particular order.
//! * In the reactor: a decision about a process; waiting. No look-up of users or hosts, no connect, no fsync, no
//!   write that can block. What is slow is a child process: [`child::helper`]. One wait remains, and is in the
//!   manual: a log on a file system that does not answer at all. The kernel has no write to a file that does not
//!   wait for it, and a writer apart could not promise that the last words of the dead are in the log before
//!   their death is told.
//! * Outside the reactor: `Instant::now`, `SystemTime::now`, and, but for the control socket's own types, mio.
//! * Outside [`sys`] and the child side of `child::spawn`: `unsafe`.
//! * Between birth and exec: an allocation, a lock, a look-up, a word written that is not the child's own. It may be
//!   at work in the daemon's memory; `sys::birth` says how that is safe and `child::order` for whom it is not.
//! * Anywhere in the daemon: a thread, shared mutable state, a listening network socket.

pub mod config;
pub mod core;
pub mod reactor;

pub mod child;
pub mod control;
pub mod files;
pub mod logs;
pub mod ring;
pub mod screen;
pub mod sinks;
pub mod sys;

pub mod limits;
