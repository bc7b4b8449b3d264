//! System calls that are refused.

use std::io;

/// A system call that is refused.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Its number.
    call: libc::c_long,
    /// What it answers.
    errno: i32,
    /// Which argument decides, and how; without one it is always refused.
    only: Option<Only>,
}

/// When a call is refused, by the lower half of an argument.
#[derive(Clone, Copy, Debug)]
enum Only {
    /// Where the argument is larger.
    Above(u32, u32),
    /// Where the argument has one of these bits.
    With(u32, u32),
}

impl Refused {
    /// Always.
    #[must_use]
    pub fn always(call: libc::c_long, errno: i32) -> Self {
        Self { call, errno, only: None }
    }

    /// Where an argument is larger than this.
    #[must_use]
    pub fn above(call: libc::c_long, argument: u32, limit: u32, errno: i32) -> Self {
        Self { call, errno, only: Some(Only::Above(argument, limit)) }
    }

    /// Where an argument has one of these bits.
    #[must_use]
    pub fn with_bits(call: libc::c_long, argument: u32, bits: u32, errno: i32) -> Self {
        Self { call, errno, only: Some(Only::With(argument, bits)) }
    }

    /// The steps of a program that refuse it, with its number loaded before and after.
    fn steps(self) -> Vec<libc::sock_filter> {
        let answer = step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | self.errno as u32, 0, 0);
        let is_call = |skipped| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, self.call as u32, 0, skipped);
        let (test, argument, value) = match self.only {
            None => return vec![is_call(1), answer],
            Some(Only::Above(argument, limit)) => (libc::BPF_JGT, argument, limit),
            Some(Only::With(argument, bits)) => (libc::BPF_JSET, argument, bits),
        };
        let lower_half = 16 + 8 * argument + if cfg!(target_endian = "big") { 4 } else { 0 };
        vec![is_call(4), load(lower_half), step(libc::BPF_JMP | test | libc::BPF_K, value, 0, 1), answer, load(NUMBER)]
    }
}

/// Where a program finds the number of the call.
const NUMBER: u32 = 0;

/// One step of a program.
fn step(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// Loads what is at this place.
fn load(place: u32) -> libc::sock_filter {
    step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, place, 0, 0)
}

/// Has the kernel refuse system calls of the calling thread, and of those that it starts, for good.
///
/// # Errors
/// Where filters cannot be set.
pub fn refuse(refused: &[Refused]) -> io::Result<()> {
    let mut program = vec![load(NUMBER)];
    program.extend(refused.iter().flat_map(|refused| refused.steps()));
    program.push(step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0));
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: numbers only; and the second call copies the program and its description, which live until it returns.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter, 0, 0) == 0
    };
    if set { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// As [`refuse`]; `false`, with the reason printed, where filters cannot be set.
#[must_use]
pub fn refuse_or_skip(refused: &[Refused]) -> bool {
    refuse(refused).inspect_err(|error| println!("SKIP: no seccomp filter can be set here: {error}")).is_ok()
}
