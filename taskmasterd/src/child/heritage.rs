//! What the daemon was started with and hands on to its children, whatever it changed for itself since.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use nix::libc::{RLIM_INFINITY, rlim_t};
use nix::sys::resource::{Resource as Kind, getrlimit, setrlimit};

use crate::config::model::{Limit, Resource};
use crate::sys::raw;

/// Every resource that setrlimit(2) knows, in the order in which a child sets them.
pub(super) const RESOURCES: [Resource; 16] = [
    Resource::As,
    Resource::Core,
    Resource::Cpu,
    Resource::Data,
    Resource::Fsize,
    Resource::Locks,
    Resource::Memlock,
    Resource::Msgqueue,
    Resource::Nice,
    Resource::Nofile,
    Resource::Nproc,
    Resource::Rss,
    Resource::Rtprio,
    Resource::Rttime,
    Resource::Sigpending,
    Resource::Stack,
];

/// The daemon as it was started.
#[derive(Clone, Debug)]
pub struct Heritage {
    /// Its environment.
    pub env: Vec<(OsString, OsString)>,
    /// Its working directory: what relative paths in the configuration start from.
    pub directory: PathBuf,
    /// Its resource limits.
    pub rlimits: Rlimits,
    /// Its out-of-memory adjustment, if it has another one now; `None` if it still has this one.
    pub oom_score_adj: Option<i32>,
}

impl Heritage {
    /// Looks at what there is, then raises the daemon's own limit of descriptors as far as it may.
    pub fn take() -> io::Result<Self> {
        let heritage = Self {
            env: std::env::vars_os().collect(),
            directory: std::env::current_dir()?,
            rlimits: Rlimits::current()?,
            oom_score_adj: None,
        };
        let (_, hard) = getrlimit(Kind::RLIMIT_NOFILE)?;
        setrlimit(Kind::RLIMIT_NOFILE, hard, hard)?;
        Ok(heritage)
    }
}

/// A soft and a hard limit for each resource.
#[derive(Clone, Debug)]
pub struct Rlimits([(Kind, rlim_t, rlim_t); RESOURCES.len()]);

impl Rlimits {
    /// Those of this process.
    pub fn current() -> io::Result<Self> {
        let mut limits = RESOURCES.map(|resource| (kind(resource), 0, 0));
        for (kind, soft, hard) in &mut limits {
            (*soft, *hard) = getrlimit(*kind)?;
        }
        Ok(Self(limits))
    }

    /// Replaces one of them.
    pub(super) fn set(&mut self, resource: Resource, limit: Limit) {
        let number = |limit: Option<u64>| limit.unwrap_or(RLIM_INFINITY);
        for (kind, soft, hard) in &mut self.0 {
            if *kind == self::kind(resource) {
                (*soft, *hard) = (number(limit.soft), number(limit.hard));
            }
        }
    }

    /// Makes them those of this process. For the child side.
    pub(super) fn apply(&self) -> nix::Result<()> {
        let mut limits = self.0.iter();
        limits.try_for_each(|&(kind, soft, hard)| raw::set_limit(kind as u32, soft, hard))
    }
}

pub(super) fn kind(resource: Resource) -> Kind {
    match resource {
        Resource::As => Kind::RLIMIT_AS,
        Resource::Core => Kind::RLIMIT_CORE,
        Resource::Cpu => Kind::RLIMIT_CPU,
        Resource::Data => Kind::RLIMIT_DATA,
        Resource::Fsize => Kind::RLIMIT_FSIZE,
        Resource::Locks => Kind::RLIMIT_LOCKS,
        Resource::Memlock => Kind::RLIMIT_MEMLOCK,
        Resource::Msgqueue => Kind::RLIMIT_MSGQUEUE,
        Resource::Nice => Kind::RLIMIT_NICE,
        Resource::Nofile => Kind::RLIMIT_NOFILE,
        Resource::Nproc => Kind::RLIMIT_NPROC,
        Resource::Rss => Kind::RLIMIT_RSS,
        Resource::Rtprio => Kind::RLIMIT_RTPRIO,
        Resource::Rttime => Kind::RLIMIT_RTTIME,
        Resource::Sigpending => Kind::RLIMIT_SIGPENDING,
        Resource::Stack => Kind::RLIMIT_STACK,
    }
}
