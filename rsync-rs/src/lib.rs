//! `rsync-rs`: the one-way tree synchroniser. Nothing is built yet: this crate holds its place in the workspace.
