//! What a program asked of the keyboard: the kitty protocol's flags and their stack, and modifyOtherKeys.

use super::parser::Control;

/// How deep the stack of flags is; more pushes forget the oldest, as the protocol has it.
const STACK_MAX: usize = 8;

/// The flags of one screen; the last pushed are in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stack {
    flags: [u8; STACK_MAX],
    len: u8,
    /// In force below the stack: set without a push.
    base: u8,
}

impl Stack {
    fn top(&mut self) -> &mut u8 {
        match self.len {
            0 => &mut self.base,
            len => &mut self.flags[usize::from(len) - 1],
        }
    }

    fn push(&mut self, flags: u8) {
        if usize::from(self.len) == STACK_MAX {
            self.flags.rotate_left(1);
            self.len -= 1;
        }
        self.len += 1;
        *self.top() = flags;
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.base != 0 {
            out.extend_from_slice(format!("\x1b[={}u", self.base).as_bytes());
        }
        for flags in &self.flags[..usize::from(self.len)] {
            out.extend_from_slice(format!("\x1b[>{flags}u").as_bytes());
        }
    }
}

/// What a program asked of the keyboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keyboard {
    /// For the primary and the alternate screen.
    stacks: [Stack; 2],
    /// The level of modifyOtherKeys.
    other_keys: u8,
}

impl Keyboard {
    /// Obeys `CSI > < = ... u` and `CSI > 4 ; n m`.
    pub(super) fn obey(&mut self, control: &Control<'_>, alternate: bool) {
        let stack = &mut self.stacks[usize::from(alternate)];
        let flags = control.number(0).min(31) as u8;
        match (control.mark, control.last) {
            (b'>', b'u') => stack.push(flags),
            (b'<', b'u') => {
                let popped = control.number(0).max(1);
                if popped > u16::from(stack.len) {
                    // Nothing is left that they could go back to.
                    stack.base = 0;
                }
                stack.len = u16::from(stack.len).saturating_sub(popped) as u8;
            }
            (b'=', b'u') => {
                let top = stack.top();
                *top = match control.number(1) {
                    2 => *top | flags,
                    3 => *top & !flags,
                    _ => flags,
                };
            }
            (b'>', b'm') if flags == 4 => self.other_keys = control.number(1).min(3) as u8,
            _ => {}
        }
    }

    /// Appends what makes a fresh keyboard this one, as far as one screen goes.
    pub(super) fn write_stack(&self, alternate: bool, out: &mut Vec<u8>) {
        self.stacks[usize::from(alternate)].write(out);
    }

    /// Appends what sets modifyOtherKeys, which both screens share.
    pub(super) fn write_other_keys(&self, out: &mut Vec<u8>) {
        if self.other_keys != 0 {
            out.extend_from_slice(format!("\x1b[>4;{}m", self.other_keys).as_bytes());
        }
    }

    /// Appends what takes back all flags of the screen that is shown: whatever was pushed, and what was set below.
    pub(super) fn undo_unknown(out: &mut Vec<u8>) {
        out.extend_from_slice(format!("\x1b[<{STACK_MAX}u\x1b[=0u").as_bytes());
    }

    /// Appends what takes back the flags of one screen, and none that were there before.
    pub(super) fn undo_stack(&self, alternate: bool, out: &mut Vec<u8>) {
        let stack = self.stacks[usize::from(alternate)];
        if stack.len > 0 {
            out.extend_from_slice(format!("\x1b[<{}u", stack.len).as_bytes());
        }
        if stack.base != 0 {
            out.extend_from_slice(b"\x1b[=0u");
        }
    }
}
