//! What Linux offers beyond `std`.

mod bell;
#[allow(unsafe_code)]
mod carry;
mod facts;
#[allow(unsafe_code)]
mod inline;
mod streams;

pub(crate) use bell::Bell;
pub(crate) use carry::carrier;
pub(crate) use inline::attempt;
