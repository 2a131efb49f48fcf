//! Beside `rsync -a --delete`: the same changes make the same trees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use crate::random::{apply, changes};
use crate::support::{Pair, Seen, walk};

/// A tree without the times of links, which rsync does not set everywhere.
fn seen(root: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut seen = walk(root);
    seen.values_mut().filter(|(kind, ..)| *kind == 'l').for_each(|(_, _, time, _)| *time = None);
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn trees_are_those_that_rsync_makes(steps in prop::collection::vec(changes(), 1..5)) {
        let mut pair = Pair::new();
        // rsync keeps links whatever they lead to.
        pair.source.links = rsync_rs::Links::Keep;
        pair.options.outward_links = true;
        let theirs = pair.base.path().join("theirs");
        for step in steps {
            for change in &step {
                apply(&pair.from("").canonicalize().unwrap(), change);
            }
            pair.run().sent.unwrap();
            // Files of the old size and time may have changed: by contents.
            let rsync = Command::new("rsync").args(["-ac", "--delete"]).arg(pair.from("")).arg(&theirs).output();
            let rsync = rsync.unwrap();
            prop_assert!(rsync.status.success(), "{:?}", rsync);
            prop_assert_eq!(seen(&pair.to("")), seen(&theirs));
        }
    }
}
