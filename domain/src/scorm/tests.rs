//! The data models against ADL's cases where they are present, and against tables of our own.

mod adl;
mod attempt;
mod v12;
mod v2004;

use super::{Api, Edition, Facts, Launch};

fn running(edition: Edition, launch: &Launch) -> Api {
    let mut api = Api::open(edition, launch);
    assert!(api.initialize(""));
    api
}

/// Sets each value and says the error codes that came.
fn codes(api: &mut Api, values: &[(&str, &str)]) -> Vec<u16> {
    values
        .iter()
        .map(|(element, value)| {
            api.set(element, value);
            api.last_error()
        })
        .collect()
}

fn with(facts: Facts) -> Launch {
    Launch { facts, ..Launch::default() }
}
