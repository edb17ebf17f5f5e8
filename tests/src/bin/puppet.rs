//! The puppet: a child that does as it is told and reports what it saw. Its language is in `harness::puppet::orders`.
//!
//! It has no `main` of Rust's own, because what runs before that changes what it is here to report: it
//! ignores SIGPIPE, handles SIGSEGV and opens closed descriptors.
#![no_main]
#![expect(unsafe_code, reason = "the C library looks for a symbol named main")]

use harness::puppet::orders::Orders;
use harness::puppet::play::Puppet;
use harness::puppet::session;

// SAFETY: the one definition of `main` in this program, and of the type the C library calls.
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: i32, _argv: *const *const u8) -> i32 {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if_eq("--in-session").is_some() {
        eprintln!("puppet: {}", session::enter(words));
        return 127;
    }
    match Orders::parse(words) {
        Ok(orders) => Puppet::new(orders).play(),
        Err(problem) => {
            eprintln!("puppet: {problem}");
            2
        }
    }
}
