//! Which tests are limited together, and by what.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::ids::TestIndex;
use crate::schedule::{Job, Limit};

/// Tests of a unit with limited ones in it, or a limited test.
pub(super) struct Group {
    /// They are a unit.
    pub(super) kept: bool,
    pub(super) tests: Vec<TestIndex>,
    /// Resources.
    pub(super) needs: BTreeSet<usize>,
}

/// What is limited and not serial: big groups first, or in the order of the first test of each that needs something.
pub(super) fn groups(job: &Job, serial: &BTreeSet<u32>) -> Vec<Group> {
    let mut needs: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
    for (resource, limit) in job.limits.iter().enumerate() {
        for test in limit.tests.iter().filter(|test| **test < job.tests && !serial.contains(test)) {
            needs.entry(*test).or_default().insert(resource);
        }
    }
    let mut sizes: HashMap<u32, u32> = HashMap::new();
    for unit in &job.units {
        *sizes.entry(*unit).or_default() += 1;
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut kept: HashMap<u32, usize> = HashMap::new();
    for (test, needs) in needs {
        let unit = job.units.get(test as usize).filter(|unit| sizes.get(unit).is_some_and(|size| *size > 1));
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
    if !job.keep_order {
        groups.sort_by_key(|group| std::cmp::Reverse(job.size(&group.tests)));
    }
    groups
}

/// A limit that limits nothing, and has everything in units that have several tests go out whole.
pub(in crate::schedule) fn whole_units(job: &Job) -> Option<Limit> {
    let mut first: HashMap<u32, (u32, bool)> = HashMap::new();
    let serial: BTreeSet<u32> = job.serial.iter().copied().collect();
    for (unit, test) in job.units.iter().zip(0..job.tests).filter(|(_, test)| !serial.contains(test)) {
        first.entry(*unit).and_modify(|(_, several)| *several = true).or_insert((test, false));
    }
    let mut tests: Vec<u32> = first.into_values().filter(|(_, several)| *several).map(|(test, _)| test).collect();
    tests.sort_unstable();
    (!tests.is_empty()).then_some(Limit { most: job.workers, tests })
}
