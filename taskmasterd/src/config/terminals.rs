//! Whether the kernel has as many terminals as the processes of a configuration want.

use super::check::Surroundings;
use super::report::{At, Report};
use crate::config::model::{Config, Program, Tty};

/// Those that start with the daemon need theirs for sure, and at once; the others only when somebody starts them.
pub(super) fn judge(config: &Config, env: &Surroundings, at: At, report: &mut Report) {
    let Some(most) = env.terminals_max else {
        return;
    };
    let reserve = env.terminals_reserve;
    let advice = "set tty: none for some, or raise kernel.pty.max";
    let at_start = count(config, |program| program.autostart);
    let needed = count(config, |_| true);
    if at_start > most {
        let what = format!(
            "{at_start} processes with autostart want a terminal and the kernel has {most}; {advice}"
        );
        report.problem(at, what);
    } else if needed > most.saturating_sub(reserve) {
        let what = format!(
            "{needed} processes want a terminal and the kernel has {most}, of which it reserves {reserve}; {advice}"
        );
        report.warning(at, what);
    }
}

/// How many processes want a terminal, of the programs that `are_meant`.
fn count(config: &Config, are_meant: fn(&Program) -> bool) -> u64 {
    let with_terminal = |program: &&Program| match program.launch.tty {
        Tty::Full | Tty::Split => are_meant(program),
        Tty::None => false,
    };
    let programs = config.programs.values().map(|program| &**program);
    let programs = programs.filter(with_terminal);
    programs.map(|program| u64::from(program.numprocs)).sum()
}
