//! `cache/stepwise`: the test from which the next `--stepwise` run continues.
//!
//! Serial pytest stops at the first failure. Here several workers may each have one: the one that comes first in the
//! order of collection is recorded, since everything before it has passed or will be run again anyway.

use serde_json::{Value, json};

use super::trace::{Outcome, Trace};
use crate::collection::{Collection, Stepwise};
use crate::facts::CacheFacts;

/// The new value; `None` where nothing is to be written.
pub(super) fn after(
    facts: &CacheFacts,
    collection: Option<&Collection>,
    traces: &[Trace],
    local_time: &str,
) -> Option<Value> {
    // Without `--stepwise` nothing depends on verdicts: what there is to forget, pytest itself forgets after collection.
    let collection = collection.filter(|_| facts.stepwise)?;
    // Since pytest 8.4 the file tells the number of tests and the time too.
    let since_8_4 = facts.pytest.as_slice() >= [8, 4].as_slice();
    let state = collection.stepwise.clone().unwrap_or_default();
    let count = state.last_test_count.unwrap_or(collection.ids.len() as u64);
    let last_failed = last_failed(state, &collection.ids, traces);
    Some(if since_8_4 {
        json!({"last_failed": last_failed, "last_test_count": count, "last_cache_date_str": local_time})
    } else {
        json!(last_failed)
    })
}

fn last_failed(state: Stepwise, ids: &[String], traces: &[Trace]) -> Option<String> {
    let Stepwise { mut last_failed, mut skip, .. } = state;
    for (nodeid, trace) in ids.iter().zip(traces) {
        let mut found = false;
        let clear_if_same = |last_failed: &mut Option<String>| {
            if last_failed.as_deref() == Some(nodeid) {
                *last_failed = None;
            }
        };
        match trace {
            Trace::NotRun => {}
            Trace::Passed => clear_if_same(&mut last_failed),
            Trace::Steps(steps) => {
                for step in steps.iter().filter(|step| step.nodeid.is_none()) {
                    if step.outcome == Outcome::Failed {
                        if skip {
                            clear_if_same(&mut last_failed);
                            skip = false;
                        } else {
                            last_failed = Some(nodeid.clone());
                            found = true;
                        }
                    } else if step.call {
                        clear_if_same(&mut last_failed);
                    }
                }
            }
        }
        if found {
            break;
        }
    }
    last_failed
}
