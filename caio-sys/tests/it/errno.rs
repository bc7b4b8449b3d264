//! Names and meanings of error numbers.

use caio_sys::errno::{Meaning, errno_name};
use std::io;

/// The number decides, whatever the standard library makes of it.
#[test]
fn a_number_means_the_same_with_every_standard_library() {
    let meaning = |number| Meaning::of(&io::Error::from_raw_os_error(number));
    assert_eq!(meaning(libc::EAGAIN), Meaning::WouldBlock);
    assert_eq!(meaning(libc::EOPNOTSUPP), Meaning::Unsupported);
    assert_eq!(meaning(libc::ENOSYS), Meaning::Unsupported);
    assert_eq!(meaning(libc::EIO), Meaning::Other);
    assert_eq!(Meaning::of(&io::ErrorKind::WouldBlock.into()), Meaning::Other);
}

#[test]
fn well_known_numbers_have_their_names() {
    assert_eq!(errno_name(libc::EPERM), Some("EPERM"));
    assert_eq!(errno_name(libc::EWOULDBLOCK), Some("EAGAIN"));
    assert_eq!(errno_name(libc::EDEADLK), Some("EDEADLK"));
    assert_eq!(errno_name(libc::ENOTSUP), Some("EOPNOTSUPP"));
    assert_eq!(errno_name(libc::EHWPOISON), Some("EHWPOISON"));
}

#[test]
fn numbers_that_are_none_have_no_name() {
    for number in [i32::MIN, -1, 0, 4096, i32::MAX] {
        assert_eq!(errno_name(number), None, "{number}");
    }
}

#[cfg(target_env = "gnu")]
#[test]
fn the_c_library_knows_just_the_same_numbers() {
    for number in 1..=133 {
        let unknown = std::io::Error::from_raw_os_error(number).to_string().starts_with("Unknown error");
        assert_eq!(errno_name(number).is_none(), unknown, "{number}");
    }
}
