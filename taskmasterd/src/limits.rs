//! Every bound of the daemon, with its reason.

/// Programs in one configuration: what is still pleasant to list, and a typo's worth of protection.
pub const PROGRAMS_MAX: usize = 10_000;
/// Processes of one program.
pub const NUMPROCS_MAX: u32 = 1000;
/// A configuration file, in bytes: ten thousand programs fit; /dev/zero does not.
pub const CONFIG_LEN_MAX: u64 = 4 * 1024 * 1024;
/// How deep a configuration may nest; the real ones have four levels.
pub const CONFIG_DEPTH_MAX: usize = 32;
/// Values in one configuration file, every alias counted in full: ten thousand programs of forty keys.
pub const CONFIG_NODES_MAX: usize = 800_000;
/// Text in one configuration file, every alias counted in full, in bytes.
pub const CONFIG_TEXT_LEN_MAX: usize = 4 * CONFIG_LEN_MAX as usize;
/// The path of the control socket, in bytes: what the kernel's address of a Unix socket has room for.
pub const SOCKET_PATH_LEN_MAX: usize = 107;
/// Symlinks followed on the way to a file: the kernel follows no more.
pub const LINKS_MAX: usize = 40;
/// Files that `include` may bring in.
pub const INCLUDES_MAX: usize = 1000;
/// Problems listed of one configuration; who has more, reads the first hundred anyway.
pub const PROBLEMS_MAX: usize = 100;
/// Retries, restarts and priorities a key may name: as good as endless, and far from where numbers wrap.
pub const COUNT_MAX: u32 = 1_000_000_000;
/// Restarts that a `restart_limit` may allow: the core remembers when each was.
pub const RESTARTS_NOTED_MAX: u32 = 10_000;
/// Rotated files of one log: each rotation looks at all of them and renames them.
pub const LOGS_KEPT_MAX: u32 = 1000;
/// The longest time a key may name, in milliseconds: a year.
pub const TIME_MS_MAX: u64 = 365 * 86_400_000;
/// What a reload's helper may hand back, in bytes: ten thousand programs as JSON.
pub const HELPER_ANSWER_LEN_MAX: usize = 64 * 1024 * 1024;
/// How long a reload's helper may take, in milliseconds: a user database far away answers or it does not.
pub const HELPER_TIME_MS_MAX: u64 = 60_000;
/// Helpers that were given up and still hang in the kernel; beyond these a reload is refused.
pub const HELPERS_HUNG_MAX: usize = 4;

/// Due timers the core carries out at once: spawning takes a tenth of a millisecond each, and clients wait meanwhile.
pub const TIMEOUTS_PER_TURN: usize = 8;
/// The wait before a start is tried again that failed for want of memory, processes or descriptors, in milliseconds.
pub const RESOURCE_RETRY_MS: u64 = 1000;
/// The least time between two starts of a program with `starttime: 0`, in milliseconds: such a program
/// cannot fail to start, so nothing else would hold it back.
pub const RESPAWN_FLOOR_MS: u64 = 250;

/// SIGKILLs after which a shutdown leaves without a process: one that survives them hangs in the kernel.
pub const SHUTDOWN_KILLS_MAX: u32 = 2;

/// Strays listed: who has more, has another problem.
pub const STRAYS_MAX: usize = 100;

/// How long a turn goes on to take in output, then to reload for those who asked, and then to serve clients, in
/// milliseconds: none waits much longer for the others, nor does a death for all. Who is left over comes first in the
/// next turn.
pub const TURN_SHARE_MS: u64 = 10;
/// Bytes read from one source in one turn, so that a flood does not starve the others.
pub const READ_BUDGET: usize = 64 * 1024;
/// The same of a terminal whose screen is drawn along, where a byte may cause more work: what the kernel holds of one.
pub const DRAWN_READ_BUDGET: usize = 4 * 1024;
/// The wait before a source is read again that could not be read, in milliseconds: for want of memory, say, which
/// nothing announces the end of.
pub const READ_RETRY_MS: u64 = 100;
/// Read of a dead process's output before its death is told: more than any terminal or pipe holds.
pub const LAST_WORDS_LEN_MAX: usize = 2 * 1024 * 1024;
/// Dead children buried in one turn.
pub const DEATHS_PER_TURN: usize = 64;
/// Followed output in one notification, in bytes.
pub const FOLLOWED_CHUNK_LEN: usize = 16 * 1024;
/// The last output kept in memory of a process without a log file, in bytes.
pub const RING_LEN: usize = 64 * 1024;
/// The most that `tail` gives of a log file at once, in bytes: as much as is kept without one.
pub const TAIL_LEN_MAX: usize = RING_LEN;
/// The fewest rows and columns of a screen: no engine is right about a terminal of one column.
pub const SCREEN_SIZE_MIN: u16 = 2;
/// The most rows of a screen: what an engine keeps is a multiple of it.
pub const SCREEN_ROWS_MAX: u16 = 500;
/// The most columns of a screen, for the same reason.
pub const SCREEN_COLS_MAX: u16 = 1000;
/// The longest snapshot with colours and with the screen behind the alternate one, in bytes: 200x60 cells in two colours
/// of their own each have half of that, and to write it takes ten milliseconds. Text alone may have two million.
pub const SNAPSHOT_LEN_MAX: usize = 1024 * 1024;
/// How far apart places to begin reading a ring at are at least, in bytes: eight for a ring.
pub const SCREEN_MARK_INTERVAL: usize = RING_LEN / 8;
/// Work an engine may have with one piece of output, in cells touched: four milliseconds, or to clear a screen of 200x60
/// with every 24 bytes of [`DRAWN_READ_BUDGET`].
pub const SCREEN_WORK: u64 = 2_000_000;
/// The cells of a screen that a processor has near: of those that are more each costs twice, and half as much work is
/// allowed with them.
pub const SCREEN_CELLS_NEAR: u64 = 100_000;
/// More such work for each byte: what draws its own cells may always do so.
pub const SCREEN_WORK_PER_BYTE: u64 = 32;
/// Work an engine may have with another size, in cells touched: eight milliseconds. No change at 200x60 has as much, and
/// none at 480x135 that leaves fifty columns.
pub const SCREEN_RESIZE_WORK: u64 = 4_000_000;
/// The longest escape sequence that `strip_ansi` takes out, in bytes: a picture fits, and a program that began one
/// and died does not swallow all that follows.
pub const ESCAPE_LEN_MAX: usize = 64 * 1024;
/// The longest beginning of a line that waits for its end where several streams write one log file, in bytes: longer
/// than lines are, and little for each of a thousand processes.
pub const HELD_LINE_LEN_MAX: usize = 16 * 1024;
/// Terminals and pipes of dead incarnations that a grandchild still holds, for each process.
pub const LEFTOVERS_MAX: usize = 8;
/// How often a log file that cannot be written is tried and complained about, in milliseconds.
pub const LOG_RETRY_MS: u64 = 1000;
/// How often the event log tells of the same trouble with a log file, that syslog takes no messages, and that a process
/// cannot start for want of resources, in milliseconds.
pub const LOG_TROUBLE_MS: u64 = 60_000;

/// Connections to the control socket.
pub const CLIENTS_MAX: usize = 256;
/// Of these, kept for root and the daemon's own user.
pub const CLIENTS_RESERVED: usize = 8;
/// Connections of one other user.
pub const CLIENTS_PER_UID_MAX: usize = 16;
/// How long a new connection may take to its first request, in milliseconds.
pub const CLIENT_FIRST_REQUEST_MS: u64 = 10_000;
/// How long a client may leave an answer unread, in milliseconds.
pub const CLIENT_STALL_MS: u64 = 60_000;
/// Followed output queued for one client, in bytes; what is more is skipped and counted.
pub const FOLLOW_QUEUE_LEN_MAX: usize = 256 * 1024;
/// Connections accepted in one turn.
pub const ACCEPTS_PER_TURN: usize = 32;
/// Requests of one client carried out in one turn.
pub const REQUESTS_PER_TURN: usize = 16;
/// How often refused connections are told of, and that none can be accepted, in milliseconds.
pub const REFUSED_TOLD_MS: u64 = 60_000;
/// Output queued for one attached client, in bytes; beyond it the client is shown the screen instead.
pub const ATTACH_QUEUE_LEN_MAX: usize = 256 * 1024;
/// Beyond this much queued for a client that reads, its process is not read for a moment: a client that keeps
/// up is to see every byte.
pub const ATTACH_PACE_LEN: usize = 128 * 1024;
/// How long that moment is at most, in milliseconds: a client that has not read by then does not keep up.
pub const ATTACH_PACE_MS: u64 = 100;
/// What a queued frame costs beside its length, in bytes: its place in the queue and its allocation.
pub const FRAME_QUEUED_LEN: usize = 64;
/// A client that asks for the screen gets it when no more than this is queued for it, in bytes: it reads.
pub const SCREEN_QUEUE_LEN_MAX: usize = 16 * 1024;
/// The longest beginning of what a terminal may be saying of itself that is held back, in bytes.
pub const REPORT_BEGUN_LEN_MAX: usize = 64;
/// How long it is, and the beginning of a string, in milliseconds: what was typed is not to wait, and one that comes
/// in pieces comes at once.
pub const REPORT_BEGUN_MS: u64 = 50;
/// The longest string a terminal says of itself, in bytes; xterm's answer about its colours has thirty.
pub const REPORT_LEN_MAX: usize = 4096;
/// How long a terminal may take to say where its cursor is, in milliseconds.
pub const CURSOR_REPORT_MS: u64 = 2000;
/// How often a client that may not type is told so, in milliseconds.
pub const READ_ONLY_TOLD_MS: u64 = 1000;
/// Screens for a client that is behind, or asks for them, are at least this far apart, in milliseconds.
pub const RESYNC_INTERVAL_MS: u64 = 100;
/// Screens for such clients in one turn: the largest takes ten milliseconds, and two of them no more than the rest of the
/// turn.
pub const SCREENS_PER_TURN: usize = 2;
/// How long a terminal has another size for its program to redraw, in milliseconds: emacs needs 50.
pub const REDRAW_INTERVAL_MS: u64 = 100;
/// Typed and not yet taken by the process, in bytes; what is more waits in the connections.
pub const TYPED_LEN_MAX: usize = 64 * 1024;
/// Clients attached to one process.
pub const VIEWERS_MAX: usize = 32;
/// Answers of one batch after which the rest of it is refused, in bytes: they are kept until all are there.
pub const BATCH_ANSWERS_LEN_MAX: usize = 1024 * 1024;
/// Names in one request: as many as a program may have processes; who means more, writes a pattern.
pub const NAMES_MAX: usize = 1000;
/// Patterns among these, `all` being one: each is held against the name of every program, and of ten thousand that
/// takes a third of a millisecond.
pub const PATTERNS_MAX: usize = 32;
/// Unknown names of one request for which the nearest known one is sought: among ten thousand that takes a while.
pub const SUGGESTIONS_MAX: usize = 8;
/// Errors in a row after which a client is cut off: it does not speak our language.
pub const CLIENT_ERRORS_MAX: u32 = 3;
/// The wait before accept is tried again when descriptors ran out, in milliseconds.
pub const ACCEPT_RETRY_MS: u64 = 100;
/// Reloads by signal are at least this far apart, in milliseconds; more signals are one.
pub const RELOAD_INTERVAL_MS: u64 = 50;

/// The time a control shell has to end with the daemon before it is killed, and then to be dead, in milliseconds:
/// more than `attach` waits for a terminal that takes nothing.
pub const SHELL_PATIENCE_MS: u16 = 3000;

/// One message to syslog, in bytes: below what every syslogd takes.
pub const SYSLOG_LEN_MAX: usize = 1900;
/// The wait before syslog is connected to again, in milliseconds.
pub const SYSLOG_RETRY_MS: u64 = 1000;
/// The wait before event lines are tried again that a file, or whoever reads standard error, did not take, in
/// milliseconds: a full disk and a full pipe do not say when they have room.
pub const EVENT_RETRY_MS: u64 = 1000;
/// Event lines waiting for a file that cannot be written, in bytes.
pub const EVENT_QUEUE_LEN_MAX: usize = 256 * 1024;
