//! The tests of a run over several collections: their union, by node id, and who has which. Pure.
//!
//! In most modes a test of the run is a test of the union, and goes to any worker that has it. Under `--dist=each` a test
//! of the run is a pair of a worker and one of its tests; reporters are told of both by the test's place in the union.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use serde_bytes::ByteBuf;

use super::translate::Translation;
use crate::collection::Collection;
use crate::ids::{TestIndex, WorkerId};
use crate::report::CollectReport;
use crate::schedule::Limit;

/// What one environment collected.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) label: String,
    pub(super) workers: Vec<WorkerId>,
    pub(super) collection: Arc<Collection>,
}

/// The run's tests.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The union: what users know of.
    pub(super) collection: Arc<Collection>,
    found: Vec<Found>,
    /// By environment: the place in the union of each of its tests.
    places: Vec<Arc<Vec<TestIndex>>>,
    /// By environment: how its tests relate to the union's.
    translations: Vec<Arc<Translation>>,
    /// By worker: its environment's place in `found`.
    environments: Vec<usize>,
    /// `each`: where each worker's tests begin in the run, and where the last one's end.
    pub(super) parts: Vec<u32>,
}

impl Layout {
    /// Of what environments found, the first one's order ruling; `each` is whether every worker runs all that it has.
    pub(super) fn new(found: Vec<Found>, each: bool) -> Self {
        let (collection, places) = united(&found);
        let places: Vec<_> = places.into_iter().map(Arc::new).collect();
        let tests = count(&collection.ids);
        let translations = places.iter().map(|own| Arc::new(Translation::by_place(own, tests))).collect();
        // Numbers of workers whose environments did not come up are nobody's.
        let workers = found.iter().flat_map(|one| &one.workers).map(|worker| worker.at() + 1).max().unwrap_or_default();
        let mut environments = vec![usize::MAX; workers];
        for (at, one) in found.iter().enumerate() {
            for worker in &one.workers {
                if let Some(slot) = environments.get_mut(worker.at()) {
                    *slot = at;
                }
            }
        }
        let mut parts = Vec::new();
        if each {
            parts.push(0);
            let mut end: u32 = 0;
            for at in &environments {
                end = end.saturating_add(found.get(*at).map_or(0, |one| count(&one.collection.ids)));
                parts.push(end);
            }
        }
        Self { collection, found, places, translations, environments, parts }
    }

    /// From here on a worker has the tests of another's environment. Under `each` its tests stay what they are.
    pub(super) fn moves(&mut self, worker: WorkerId, to: WorkerId) {
        if let Some(at) = self.environment(to).filter(|_| self.parts.is_empty())
            && let Some(slot) = self.environments.get_mut(worker.at())
        {
            *slot = at;
        }
    }

    /// Number of verdicts that the run is to have.
    pub(super) fn tests(&self) -> u32 {
        self.parts.last().copied().unwrap_or_else(|| count(&self.collection.ids))
    }

    /// How a worker with its environment's collection relates to the run.
    pub(super) fn translation(&self, worker: WorkerId) -> Arc<Translation> {
        match self.parts.get(worker.at()) {
            Some(start) => Arc::new(Translation::Shifted(*start)),
            None => self.environment(worker).map(|at| self.translations[at].clone()).unwrap_or_default(),
        }
    }

    /// How a worker that collected something else relates to the run.
    pub(super) fn translation_of(&self, worker: WorkerId, ids: &[String]) -> Translation {
        match (self.parts.get(worker.at()), self.own(worker)) {
            (Some(start), Some(own)) => Translation::by_node_id(&own.ids, ids, *start),
            _ => Translation::by_node_id(&self.collection.ids, ids, 0),
        }
    }

    /// Tests of the run that a worker could be given.
    pub(super) fn range(&self, worker: WorkerId) -> Range<u32> {
        match (self.parts.get(worker.at()), self.parts.get(worker.at() + 1)) {
            (Some(start), Some(end)) => *start..*end,
            _ => 0..count(&self.collection.ids),
        }
    }

    /// What a worker's environment collected.
    pub(super) fn own(&self, worker: WorkerId) -> Option<&Arc<Collection>> {
        self.environment(worker).map(|at| &self.found[at].collection)
    }

    /// The places in the union of the tests of a worker's environment.
    pub(super) fn tests_of(&self, worker: WorkerId) -> Arc<Vec<TestIndex>> {
        self.environment(worker).map(|at| self.places[at].clone()).unwrap_or_default()
    }

    /// The place in the union of a test of the run.
    pub(super) fn shown(&self, test: TestIndex) -> TestIndex {
        if self.parts.is_empty() {
            return test;
        }
        let worker = self.parts.partition_point(|start| *start <= test.0).saturating_sub(1);
        let own = self.environments.get(worker).and_then(|at| self.places.get(*at));
        own.and_then(|own| own.get((test.0 - self.parts[worker]) as usize)).copied().unwrap_or(test)
    }

    /// The tests of the run that are one of these tests of the union.
    pub(super) fn all_of(&self, union: &[u32]) -> Vec<u32> {
        if self.parts.is_empty() || union.is_empty() {
            return union.to_vec();
        }
        let union: HashSet<u32> = union.iter().copied().collect();
        (0..self.tests()).filter(|test| union.contains(&self.shown(TestIndex(*test)).0)).collect()
    }

    /// Resources, and the tests of the run that need them.
    pub(super) fn limits(&self) -> Vec<Limit> {
        let resources = self.collection.resources.iter();
        resources.map(|(_, most, tests)| Limit { most: *most, tests: self.all_of(tests) }).collect()
    }

    fn environment(&self, worker: WorkerId) -> Option<usize> {
        self.environments.get(worker.at()).copied().filter(|at| *at < self.found.len())
    }
}

fn count(ids: &[String]) -> u32 {
    u32::try_from(ids.len()).unwrap_or(u32::MAX)
}

/// The union of collections, and where in it the tests of each stand.
fn united(found: &[Found]) -> (Arc<Collection>, Vec<Vec<TestIndex>>) {
    let Some((first, others)) = found.split_first() else { return Default::default() };
    let own = (0..count(&first.collection.ids)).map(TestIndex).collect();
    if others.is_empty() {
        return (first.collection.clone(), vec![own]);
    }
    let mut union = Union::of(&first.collection);
    let mut nodes: Vec<Vec<usize>> = vec![(0..first.collection.ids.len()).collect()];
    nodes.extend(others.iter().map(|one| union.add(&one.collection)));
    let mut place = vec![TestIndex(0); union.order.len()];
    for (node, index) in union.order.iter().zip(0..) {
        place[*node] = TestIndex(index);
    }
    let places: Vec<Vec<TestIndex>> = nodes.iter().map(|own| own.iter().map(|node| place[*node]).collect()).collect();
    (Arc::new(merged(found, &places, union.order.len())), places)
}

/// Tests of all collections so far. A node is a test, whatever its place.
struct Union<'a> {
    /// Nodes by node id and how many tests of that id come before.
    known: HashMap<(&'a str, u32), usize>,
    order: Vec<usize>,
    /// Tests that come first whatever others are found.
    fixed: usize,
}

impl<'a> Union<'a> {
    fn of(first: &'a Collection) -> Self {
        let mut union = Self { known: HashMap::new(), order: Vec::new(), fixed: first.failed_first as usize };
        union.add(first);
        union
    }

    /// Adds a collection and returns its tests' nodes. What is new stands behind what it follows there, so that tests of
    /// one module stay neighbours.
    fn add(&mut self, collection: &'a Collection) -> Vec<usize> {
        let mut seen: HashMap<&str, u32> = HashMap::new();
        let mut followers: HashMap<Option<usize>, usize> = HashMap::new();
        let mut nodes = Vec::with_capacity(collection.ids.len());
        let mut before = None;
        for id in &collection.ids {
            let number = seen.entry(id).or_default();
            let next = self.known.len();
            let node = *self.known.entry((id, *number)).or_insert(next);
            *number += 1;
            if node == next {
                followers.insert(before, node);
            }
            before = Some(node);
            nodes.push(node);
        }
        if followers.is_empty() {
            return nodes;
        }
        let old = std::mem::take(&mut self.order);
        let fixed = self.fixed.min(old.len());
        self.order.reserve(self.known.len());
        self.order.extend(&old[..fixed]);
        self.follow(None, &followers);
        // What follows one of the fixed ones comes behind them, too.
        for node in &old[..fixed] {
            self.follow(Some(*node), &followers);
        }
        for node in &old[fixed..] {
            self.order.push(*node);
            self.follow(Some(*node), &followers);
        }
        nodes
    }

    fn follow(&mut self, node: Option<usize>, followers: &HashMap<Option<usize>, usize>) {
        let mut at = node;
        while let Some(next) = followers.get(&at) {
            self.order.push(*next);
            at = Some(*next);
        }
    }
}

/// One collection of several. What concerns the whole run is the first one's.
fn merged(found: &[Found], places: &[Vec<TestIndex>], tests: usize) -> Collection {
    let first = &found[0].collection;
    let all = || found.iter().zip(places).map(|(one, places)| (&*one.collection, places));
    Collection {
        ids: spread(all().map(|(one, places)| (&one.ids, places)), tests),
        display: spread(all().map(|(one, places)| (&one.display, places)), tests),
        places: spread(all().map(|(one, places)| (&one.places, places)), tests),
        units: units(&all().collect::<Vec<_>>(), tests),
        group_names: spread(all().map(|(one, places)| (&one.group_names, places)), tests),
        // Numbers of several collections mean nothing together.
        groups: Vec::new(),
        serial: serial(&all().collect::<Vec<_>>()),
        resources: resources(&all().collect::<Vec<_>>()),
        deselected: all().map(|(one, _)| one.deselected).max().unwrap_or_default(),
        reports: reports(found),
        lines: first.lines.clone(),
        stopped: all().find_map(|(one, _)| one.stopped.clone()),
        stop_detail: all()
            .find(|(one, _)| one.stopped.is_some())
            .map(|(one, _)| one.stop_detail.clone())
            .unwrap_or_default(),
        digest: String::new(),
        failed_first: first.failed_first,
        lastfailed: first.lastfailed.clone(),
        cache_warnings: first.cache_warnings,
        stepwise: first.stepwise.clone(),
        loop_news: first.loop_news.clone(),
        // Each environment has its own.
        described: ByteBuf::default(),
        raw: all().flat_map(|(one, _)| one.raw.iter().cloned()).collect(),
    }
}

/// What collections say of each test, the first one that has it having the word; empty if none says anything.
fn spread<'a, T: Clone + Default + 'a>(
    all: impl Iterator<Item = (&'a Vec<T>, &'a Vec<TestIndex>)>,
    tests: usize,
) -> Vec<T> {
    let mut out: Vec<Option<T>> = Vec::new();
    for (values, places) in all.filter(|(values, _)| !values.is_empty()) {
        out.resize(tests, None);
        for (value, place) in values.iter().zip(places) {
            out[place.at()].get_or_insert_with(|| value.clone());
        }
    }
    out.into_iter().map(Option::unwrap_or_default).collect()
}

/// Units of the union: a unit of one collection is that of another if they have a test in common.
fn units(all: &[(&Collection, &Vec<TestIndex>)], tests: usize) -> Vec<u32> {
    if all.iter().all(|(one, _)| one.units.is_empty()) {
        return Vec::new();
    }
    let mut out: Vec<Option<u32>> = vec![None; tests];
    let mut next = 0;
    for (one, places) in all {
        let mut known: HashMap<u32, u32> = HashMap::new();
        for (unit, place) in one.units.iter().zip(*places) {
            if let Some(shared) = out[place.at()] {
                known.entry(*unit).or_insert(shared);
            }
        }
        for (unit, place) in one.units.iter().zip(*places) {
            let unit = *known.entry(*unit).or_insert_with(|| {
                next += 1;
                next - 1
            });
            out[place.at()].get_or_insert(unit);
        }
    }
    let mut alone = next..;
    out.into_iter().map(|unit| unit.or_else(|| alone.next()).unwrap_or(u32::MAX)).collect()
}

/// Tests that run alone, where any environment says so.
fn serial(all: &[(&Collection, &Vec<TestIndex>)]) -> Vec<u32> {
    let marked = all.iter().flat_map(|(one, places)| one.serial.iter().filter_map(|own| places.get(*own as usize)));
    marked.map(|place| place.0).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Resources by name, with the least of their limits and the tests that need them anywhere.
fn resources(all: &[(&Collection, &Vec<TestIndex>)]) -> Vec<(String, u32, Vec<u32>)> {
    let mut known: BTreeMap<&str, (u32, BTreeSet<u32>)> = BTreeMap::new();
    for (one, places) in all {
        for (name, most, tests) in &one.resources {
            let (least, needing) = known.entry(name).or_insert((*most, BTreeSet::new()));
            *least = (*least).min(*most);
            needing.extend(tests.iter().filter_map(|own| places.get(*own as usize)).map(|place| place.0));
        }
    }
    known.into_iter().map(|(name, (most, tests))| (name.to_owned(), most, tests.into_iter().collect())).collect()
}

/// Collectors that did not pass, each once; with the environment's name where others say something else.
fn reports(found: &[Found]) -> Vec<CollectReport> {
    let mut out: Vec<(CollectReport, Vec<&str>)> = Vec::new();
    for one in found {
        for report in &one.collection.reports {
            match out.iter_mut().find(|(known, _)| alike(known, report)) {
                Some((_, labels)) => labels.push(&one.label),
                None => out.push((report.clone(), vec![&one.label])),
            }
        }
    }
    out.into_iter()
        .map(|(mut report, labels)| {
            if labels.len() < found.len() && report.outcome == "failed" {
                report.head_line = format!("{} [{}]", report.head_line, labels.join(", "));
            }
            report
        })
        .collect()
}

fn alike(one: &CollectReport, other: &CollectReport) -> bool {
    let message = |report: &CollectReport| {
        let longrepr = report.longrepr.as_ref()?;
        Some(longrepr.crash.as_ref().map_or(longrepr.terminal.clone(), |crash| crash.message.clone()))
    };
    one.nodeid == other.nodeid && one.outcome == other.outcome && message(one) == message(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &str) -> Vec<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    fn found(label: &str, workers: &[u32], names: &str) -> Found {
        let collection = Collection { ids: ids(names), ..Collection::default() };
        let workers = workers.iter().copied().map(WorkerId).collect();
        Found { label: label.to_owned(), workers, collection: Arc::new(collection) }
    }

    #[test]
    fn what_is_new_stands_behind_what_it_follows() {
        let layout = Layout::new(vec![found("a", &[0], "a b c d"), found("b", &[1], "x a y z c w d")], false);
        assert_eq!(layout.collection.ids, ids("x a y z b c w d"));
        assert_eq!(layout.tests(), 8);
        let second = layout.translation(WorkerId(1));
        assert_eq!(second.for_run(TestIndex(4)), Some(TestIndex(5)));
        assert_eq!(second.lacks(0..8), [TestIndex(4)].into());
        assert_eq!(layout.translation(WorkerId(0)).lacks(0..8).len(), 4);
    }

    #[test]
    fn node_ids_that_occur_twice_are_two_tests() {
        let layout = Layout::new(vec![found("a", &[0], "t t"), found("b", &[1], "t t t")], false);
        assert_eq!(layout.collection.ids, ids("t t t"));
        assert_eq!(*layout.translation(WorkerId(1)), Translation::Same);
    }

    #[test]
    fn equal_collections_stay_as_they_are() {
        let layout = Layout::new(vec![found("a", &[0, 2], "a b"), found("b", &[1], "a b")], false);
        assert_eq!(layout.collection.ids, ids("a b"));
        assert!((0..3).all(|worker| *layout.translation(WorkerId(worker)) == Translation::Same));
        let one = Layout::new(vec![found("a", &[0, 1], "a b")], false);
        assert_eq!(one.tests(), 2);
        assert_eq!(*one.translation(WorkerId(1)), Translation::Same);
    }

    #[test]
    fn each_has_a_stretch_a_worker() {
        let layout = Layout::new(vec![found("a", &[0, 2], "a b"), found("b", &[1], "b c d")], true);
        assert_eq!(layout.collection.ids, ids("a b c d"));
        assert_eq!(layout.parts, [0, 2, 5, 7]);
        assert_eq!(layout.tests(), 7);
        let shown: Vec<u32> = (0..7).map(|test| layout.shown(TestIndex(test)).0).collect();
        assert_eq!(shown, [0, 1, 1, 2, 3, 0, 1]);
        assert_eq!(layout.range(WorkerId(1)), 2..5);
        // What is said of `b` is said of it in each of them.
        assert_eq!(layout.all_of(&[1]), [1, 2, 6]);
        assert!(layout.all_of(&[]).is_empty());
        assert_eq!(layout.translation(WorkerId(1)).for_run(TestIndex(2)), Some(TestIndex(4)));
        // One in the place of gw1 that lacks one of its tests, and has others in between.
        let other = layout.translation_of(WorkerId(1), &ids("d x b"));
        assert_eq!(other.for_worker(vec![TestIndex(2), TestIndex(4)]), [TestIndex(2), TestIndex(0)]);
        assert_eq!(other.lacks(2..5), [TestIndex(3)].into());
    }

    #[test]
    fn numbers_of_workers_that_never_come_are_nobodys() {
        let of = |each| Layout::new(vec![found("a", &[1], "a b"), found("b", &[3], "b c")], each);
        let layout = of(true);
        assert_eq!(layout.parts, [0, 0, 2, 2, 4]);
        let shown: Vec<u32> = (0..4).map(|test| layout.shown(TestIndex(test)).0).collect();
        assert_eq!(shown, [0, 1, 1, 2]);
        assert!(layout.own(WorkerId(2)).is_none() && layout.own(WorkerId(4)).is_none());
        let mut layout = of(false);
        assert_eq!(layout.own(WorkerId(3)).unwrap().ids, ids("b c"));
        layout.moves(WorkerId(3), WorkerId(1));
        assert_eq!(layout.own(WorkerId(3)).unwrap().ids, ids("a b"));
        assert_eq!(layout.translation(WorkerId(3)).lacks(0..3), [TestIndex(2)].into());
    }

    #[test]
    fn units_with_a_test_in_common_are_one() {
        let with = |one: Found, units: &[u32]| {
            let collection = Collection { units: units.to_vec(), ..(*one.collection).clone() };
            Found { collection: Arc::new(collection), ..one }
        };
        let first = with(found("a", &[0], "m1 m2 n1"), &[0, 0, 1]);
        let second = with(found("b", &[1], "k1 m2 m3 n1"), &[0, 1, 1, 2]);
        let layout = Layout::new(vec![first, second], false);
        assert_eq!(layout.collection.ids, ids("k1 m1 m2 m3 n1"));
        assert_eq!(layout.collection.units, [2, 0, 0, 0, 1]);
    }

    #[test]
    fn tests_that_must_not_meet_are_those_of_all_environments() {
        let with = |one: Found, serial: &[u32], resources: &[(&str, u32, &[u32])]| {
            let resources = resources.iter().map(|(name, most, tests)| ((*name).to_owned(), *most, tests.to_vec()));
            let serial = serial.to_vec();
            let collection = Collection { serial, resources: resources.collect(), ..(*one.collection).clone() };
            Found { collection: Arc::new(collection), ..one }
        };
        let first = with(found("a", &[0], "a b c"), &[1], &[("db", 2, &[0])]);
        let second = with(found("b", &[1], "x b c"), &[0, 1], &[("db", 1, &[2]), ("gpu", 1, &[0])]);
        let layout = Layout::new(vec![first, second], false);
        assert_eq!(layout.collection.ids, ids("x a b c"));
        assert_eq!(layout.collection.serial, [0, 2]);
        assert_eq!(layout.collection.resources, [("db".to_owned(), 1, vec![1, 3]), ("gpu".to_owned(), 1, vec![0])]);
    }

    #[test]
    fn collectors_that_failed_alike_are_told_once() {
        let failing = |message: &str| CollectReport {
            nodeid: "test_a.py".to_owned(),
            outcome: "failed".to_owned(),
            head_line: "ERROR collecting test_a.py".to_owned(),
            longrepr: Some(crate::report::Longrepr { terminal: message.to_owned(), ..Default::default() }),
            ..CollectReport::default()
        };
        let with = |label: &str, worker: u32, message: &str| {
            let collection = Collection { reports: vec![failing(message)], ..Collection::default() };
            Found { collection: Arc::new(collection), ..found(label, &[worker], "") }
        };
        let heads = |all: Vec<Found>| -> Vec<String> {
            let layout = Layout::new(all, false);
            layout.collection.reports.iter().map(|report| report.head_line.clone()).collect()
        };
        assert_eq!(heads(vec![with("a", 0, "x"), with("b", 1, "x")]), ["ERROR collecting test_a.py"]);
        assert_eq!(
            heads(vec![with("a", 0, "x"), with("b", 1, "y")]),
            ["ERROR collecting test_a.py [a]", "ERROR collecting test_a.py [b]"]
        );
    }
}
