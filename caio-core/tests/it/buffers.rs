//! Buffers, keys and files by themselves.

use caio_core::{AlignedBuf, IoBuf, IoBufMut, Key, SharedFd, errno};
use std::panic::catch_unwind;

#[test]
fn aligned_buffers_are_aligned_empty_and_bounded() {
    for alignment in [1, 2, 512, 4096, 1 << 21] {
        for capacity in [0, 1, 511, 4096, 10_000] {
            let mut buf = AlignedBuf::new(capacity, alignment);
            assert_eq!(buf.as_ptr() as usize % alignment, 0);
            assert_eq!((buf.len(), buf.capacity(), buf.alignment()), (0, capacity, alignment));
            buf.extend_from_slice(&vec![7; capacity]);
            assert!(buf.len() == capacity && buf.iter().all(|byte| *byte == 7));
            assert!(catch_unwind(std::panic::AssertUnwindSafe(|| buf.extend_from_slice(b"x"))).is_err());
            assert_eq!(buf.len(), capacity, "a refused extension changes nothing");
        }
    }
}

#[test]
fn aligned_buffers_forget_and_remember() {
    let mut buf = AlignedBuf::zeroed(8, 8);
    assert_eq!(&buf[..], [0; 8]);
    buf.copy_from_slice(b"01234567");
    buf.truncate(100);
    assert_eq!(buf.len(), 8);
    buf.truncate(3);
    assert_eq!(&buf[..], b"012");
    buf.clear();
    assert!(buf.is_empty() && buf.capacity() == 8);
    let mut moved = std::thread::spawn(move || buf).join().unwrap();
    moved.extend_from_slice(b"ab");
    assert_eq!((moved.bytes_init(), moved.bytes_total(), moved.stable_ptr()), (2, 8, moved.as_ptr()));
    assert!(format!("{moved:?}").contains("alignment: 8"));
}

#[test]
fn aligned_buffers_refuse_what_no_allocator_has() {
    for (capacity, alignment) in [(1, 0), (1, 3), (usize::MAX, 1), (isize::MAX as usize, 4096)] {
        assert!(catch_unwind(|| AlignedBuf::new(capacity, alignment)).is_err(), "{capacity} at {alignment}");
    }
}

#[test]
fn slices_see_their_part() {
    let whole = b"0123456789".to_vec();
    for (range, expected) in [(0..10, &b"0123456789"[..]), (3..3, b""), (2..5, b"234"), (10..10, b"")] {
        let part = whole.clone().slice(range);
        assert_eq!((&part[..], part.bytes_init()), (expected, expected.len()));
        assert_eq!(part.get_ref(), &whole);
        assert_eq!(part.into_inner(), whole);
    }
    assert_eq!(&whole.clone().slice(..=4)[..], b"01234");
    assert_eq!(&whole.slice(7..)[..], b"789");
}

#[test]
fn slices_reach_into_the_room_but_not_beyond() {
    let room = || {
        let mut buf = Vec::with_capacity(100);
        buf.extend_from_slice(b"0123");
        buf
    };
    let mut part = room().slice(2..50);
    assert_eq!((part.bytes_init(), part.bytes_total(), &part[..]), (2, 48, &b"23"[..]));
    assert_eq!(part.stable_mut_ptr().cast_const(), part.stable_ptr());
    let capacity = room().capacity();
    assert_eq!(room().slice(4..).bytes_total(), capacity - 4);
    assert!(catch_unwind(|| room().slice(5..6)).is_err(), "it begins where nothing is initialised");
    assert!(catch_unwind(|| room().slice(..capacity + 1)).is_err(), "it ends beyond the room");
    #[allow(clippy::reversed_empty_ranges)]
    let backwards = catch_unwind(|| room().slice(3..2));
    assert!(backwards.is_err());
    assert!(catch_unwind(|| b"0123".slice(..5)).is_err(), "what cannot be read into has no room");
    assert!(catch_unwind(|| room().slice(..=usize::MAX)).is_err());
}

#[test]
fn slices_of_slices_stay_within() {
    let nested = b"0123456789".to_vec().slice(2..8).slice(1..4);
    assert_eq!((&nested[..], nested.bytes_total()), (&b"345"[..], 3));
    assert!(catch_unwind(|| b"0123456789".to_vec().slice(2..8).slice(..7)).is_err());
}

#[test]
fn keys_survive_the_kernel() {
    for bits in [0, 1, u64::from(u32::MAX), u64::MAX, 0x0123_4567_89ab_cdef] {
        assert_eq!(Key::from_u64(bits).as_u64(), bits);
    }
    assert_ne!(Key::from_u64(1), Key::from_u64(1 << 32 | 1));
}

#[test]
fn shared_files_know_their_clones() {
    let fd: SharedFd = tempfile::tempfile().unwrap().into();
    let same = fd.clone();
    let other: SharedFd = fd.file().try_clone().unwrap().into();
    assert!(fd.is_same(&same) && !fd.is_same(&other));
    assert!(fd.id() == same.id() && fd.id() != other.id());
    let fd = fd.try_unwrap().unwrap_err();
    drop(same);
    fd.try_unwrap().unwrap();
}

#[test]
fn a_slice_never_shortens_what_lies_behind_it() {
    let mut slice = vec![1_u8; 100].slice(10..20);
    // SAFETY: a vector of bytes that are all initialised.
    unsafe { slice.set_init(3) };
    assert_eq!((slice.len(), slice.bytes_total()), (3, 10));
    assert_eq!(slice.into_inner().len(), 100);
    let mut empty = Vec::with_capacity(100).slice(..50);
    // SAFETY: nothing is claimed.
    unsafe { empty.set_init(0) };
    assert_eq!((empty.len(), empty.into_inner().len()), (0, 0));
}

#[test]
#[cfg(unix)]
fn streams_and_files_are_told_apart() {
    let file: SharedFd = tempfile::tempfile().unwrap().into();
    assert!(!file.is_stream() && !file.is_direct());
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let socket: SharedFd = std::os::fd::OwnedFd::from(socket).into();
    assert!(socket.is_stream() && socket.is_stream());
}

#[test]
fn error_numbers_are_found() {
    assert_eq!(errno(&std::io::Error::from_raw_os_error(5)), Some(5));
    assert_eq!(errno(&std::io::ErrorKind::Other.into()), None);
    assert_eq!(errno(&std::io::Error::other("text")), None);
}

#[test]
#[cfg(unix)]
fn a_borrowed_descriptor_is_not_closed() {
    use std::os::fd::AsRawFd;
    let file = tempfile::tempfile().unwrap();
    // SAFETY: the file is closed at the end of the test.
    let fd = unsafe { SharedFd::borrowed(file.as_raw_fd()) };
    assert_eq!(fd.kind(), caio_core::FileKind::Regular);
    let fd = fd.clone().try_unwrap().unwrap_err();
    drop(fd);
    assert_eq!(file.metadata().unwrap().len(), 0);
}
