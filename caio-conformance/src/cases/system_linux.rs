//! The themes that only some systems have: those of Linux.

use super::{
    Case, devices, direct, driver, fork, full, guest, order, polls, position, records, refused, room, sockets, streams,
    times, waiting, wakers,
};

/// These themes.
pub(super) const THEMES: &[&[Case]] = &[
    devices::CASES,
    direct::CASES,
    position::CASES,
    streams::CASES,
    waiting::CASES,
    full::CASES,
    times::CASES,
    order::CASES,
    records::CASES,
    sockets::CASES,
    room::CASES,
    wakers::CASES,
    driver::CASES,
    fork::CASES,
    polls::CASES,
    refused::CASES,
    guest::CASES,
];
