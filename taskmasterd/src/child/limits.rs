//! Which limit of a program the kernel refuses, for people to read: the child has no words for it.

use std::collections::BTreeMap;

use nix::libc::RLIM_INFINITY;
use nix::sys::resource::getrlimit;

use super::heritage::{RESOURCES, kind};
use crate::config::model::{Limit, Resource};
use crate::config::resource_name;

/// A limit that cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// What should have been done: "set limits.nofile to 100".
    pub(super) deed: String,
    /// What it is above.
    pub(super) bound: String,
}

/// The one of `limits` at which a child of ours is stopped; `None` if that cannot be seen from here.
pub(super) fn refused(limits: &BTreeMap<Resource, Limit>) -> Option<Refused> {
    let nr_open = std::fs::read_to_string("/proc/sys/fs/nr_open");
    let nr_open = nr_open.ok().and_then(|text| text.trim().parse().ok());
    let hard_now = |resource| getrlimit(kind(resource)).map_or(RLIM_INFINITY, |(_, hard)| hard);
    refused_of(limits, nr_open, hard_now)
}

/// `nr_open` holds for everybody. Who was refused but is below it lacks the right to raise a hard limit, and was
/// stopped at the first.
fn refused_of(
    limits: &BTreeMap<Resource, Limit>,
    nr_open: Option<u64>,
    hard_now: impl Fn(Resource) -> u64,
) -> Option<Refused> {
    let wanted = |resource| Some(limits.get(&resource)?.hard.unwrap_or(RLIM_INFINITY));
    let told = |resource, wanted, bound| Refused {
        deed: format!(
            "set limits.{} to {}",
            resource_name(resource),
            number(wanted)
        ),
        bound,
    };
    if let (Some(wanted), Some(most)) = (wanted(Resource::Nofile), nr_open)
        && wanted > most
    {
        let bound = format!("the {most} of fs.nr_open");
        return Some(told(Resource::Nofile, wanted, bound));
    }
    RESOURCES.into_iter().find_map(|resource| {
        let (wanted, hard) = (wanted(resource)?, hard_now(resource));
        let bound = || format!("the hard limit of {}", number(hard));
        (wanted > hard).then(|| told(resource, wanted, bound()))
    })
}

fn number(limit: u64) -> String {
    match limit {
        RLIM_INFINITY => "unlimited".into(),
        limit => limit.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(wanted: &[(Resource, Option<u64>)], hard: u64) -> Option<(String, String)> {
        let limits = wanted.iter().map(|&(resource, hard)| {
            let limit = Limit {
                soft: Some(0),
                hard,
            };
            (resource, limit)
        });
        let refused = refused_of(&limits.collect(), Some(1 << 20), |_| hard);
        refused.map(|refused| (refused.deed, refused.bound))
    }

    #[test]
    fn the_limit_that_is_too_high_is_named() {
        let one = |deed: &str, bound: &str| Some((deed.to_owned(), bound.to_owned()));
        let (nice, nofile) = (Resource::Nice, Resource::Nofile);
        assert_eq!(
            told(&[(nofile, Some(100)), (nice, Some(5))], 100),
            None,
            "both are within"
        );
        assert_eq!(
            told(&[(nofile, Some(100)), (nice, Some(5))], 4),
            one("set limits.nice to 5", "the hard limit of 4"),
            "nice is set before nofile"
        );
        assert_eq!(
            told(&[(nofile, Some(99_999_999)), (nice, Some(5))], 4),
            one("set limits.nofile to 99999999", "the 1048576 of fs.nr_open")
        );
        assert_eq!(
            told(&[(Resource::Core, None)], 7),
            one("set limits.core to unlimited", "the hard limit of 7")
        );
        assert_eq!(told(&[(Resource::Core, None)], RLIM_INFINITY), None);
    }
}
