//! Which tests are limited together, and by what.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::ids::TestIndex;
use crate::schedule::Job;

/// Tests of a unit with limited ones in it, or a limited test.
pub(super) struct Group {
    /// They are a unit.
    pub(super) kept: bool,
    pub(super) tests: Vec<TestIndex>,
    /// Resources.
    pub(super) needs: BTreeSet<usize>,
}

/// What is limited and not serial, in the order of the first test of each group that needs something.
pub(super) fn groups(job: &Job, serial: &BTreeSet<u32>) -> Vec<Group> {
    let mut needs: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
    for (resource, limit) in job.limits.iter().enumerate() {
        for test in limit.tests.iter().filter(|test| **test < job.tests && !serial.contains(test)) {
            needs.entry(*test).or_default().insert(resource);
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut kept: HashMap<u32, usize> = HashMap::new();
    for (test, needs) in needs {
        let unit = job.units.get(test as usize);
        if let Some(group) = unit.and_then(|unit| kept.get(unit)).and_then(|at| groups.get_mut(*at)) {
            group.needs.extend(needs);
            continue;
        }
        if let Some(unit) = unit {
            kept.insert(*unit, groups.len());
        }
        let tests = if unit.is_some() { Vec::new() } else { vec![TestIndex(test)] };
        groups.push(Group { kept: unit.is_some(), tests, needs });
    }
    for (unit, test) in job.units.iter().zip(0..job.tests).filter(|(_, test)| !serial.contains(test)) {
        if let Some(group) = kept.get(unit).and_then(|at| groups.get_mut(*at)) {
            group.tests.push(TestIndex(test));
        }
    }
    groups
}
