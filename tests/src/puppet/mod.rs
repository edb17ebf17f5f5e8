//! A child that does as it is told and reports what it saw.
//!
//! Its orders stand on its command line ([`orders`]), what it found at its start is in [`facts`], and
//! [`play`] carries the orders out. Each report is one line of JSON appended to a ledger with one write,
//! so that many puppets can share a ledger and none of them says half a sentence.

pub mod deeds;
pub mod facts;
pub mod orders;
pub mod play;
pub mod session;
