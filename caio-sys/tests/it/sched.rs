//! I/O priorities.

use std::thread;

use caio_sys::sched::{IoClass, IoPrio, ioprio_get, ioprio_set};

use crate::support::errno;

#[test]
fn values_are_encoded_as_the_kernel_has_them() {
    let raw = |class, level| IoPrio::new(class, level).map(IoPrio::as_raw);
    assert_eq!(raw(IoClass::None, 0), Some(0));
    assert_eq!(raw(IoClass::RealTime, 4), Some(0x2004));
    assert_eq!(raw(IoClass::BestEffort, 7), Some(0x4007));
    assert_eq!(raw(IoClass::Idle, 0), Some(0x6000));
    assert_eq!(raw(IoClass::BestEffort, 8), None);
}

#[test]
fn a_priority_is_one_threads_own() {
    let idle = IoPrio::new(IoClass::Idle, 0).unwrap();
    let before = ioprio_get().unwrap();
    let set = thread::spawn(move || {
        ioprio_set(idle).unwrap();
        ioprio_get().unwrap()
    });
    assert_eq!(set.join().unwrap(), idle);
    assert_eq!(ioprio_get().unwrap(), before);
    assert_ne!(before, idle);
}

#[test]
fn a_class_that_takes_no_level_refuses_one() {
    let wrong = IoPrio::new(IoClass::None, 3).unwrap();
    assert_eq!(errno(ioprio_set(wrong)), libc::EINVAL);
}
