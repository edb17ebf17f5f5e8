//! Strings as execve takes them: one after the other in one piece of memory, each with its zero at the end.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::ptr;

/// A zero byte in what was to be a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroByte;

/// Strings that stay where they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Strings {
    bytes: Vec<u8>,
    /// Where each begins.
    starts: Vec<usize>,
}

impl Strings {
    /// Adds one, put together from pieces.
    pub(super) fn push(&mut self, pieces: &[&[u8]]) -> Result<(), ZeroByte> {
        if pieces
            .iter()
            .any(|piece| memchr::memchr(0, piece).is_some())
        {
            return Err(ZeroByte);
        }
        self.starts.push(self.bytes.len());
        for piece in pieces {
            self.bytes.extend_from_slice(piece);
        }
        self.bytes.push(0);
        Ok(())
    }

    /// Each of them. Allocates nothing.
    pub fn iter(&self) -> impl Iterator<Item = &CStr> {
        let tails = self.starts.iter().map(|&start| &self.bytes[start..]);
        tails.filter_map(|tail| CStr::from_bytes_until_nul(tail).ok())
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The array that execve takes; it points into these strings, and is good as long as they are.
    pub(super) fn pointers(&self) -> Vec<*const c_char> {
        let mut pointers = Vec::with_capacity(self.len() + 1);
        pointers.extend(
            self.starts
                .iter()
                .map(|&start| self.bytes[start..].as_ptr().cast()),
        );
        pointers.push(ptr::null());
        pointers
    }
}

impl fmt::Debug for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
