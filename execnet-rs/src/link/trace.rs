//! What goes over links, for whoever looks for a mistake: `EXECNET_RS_TRACE=FILE`.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Buf;

use crate::wire::{Frame, HEADER, Kind};

/// The variable that names the file. Frames are appended to it, a line each; it shows what was sent, so only its owner may
/// read it.
pub const TRACE: &str = "EXECNET_RS_TRACE";

/// How much of a body is shown.
const SHOWN: usize = 40;

#[derive(Clone, Debug)]
pub(super) struct Trace {
    file: Arc<File>,
    link: Arc<str>,
}

impl Trace {
    /// None unless the environment asks for it, or if the file cannot be written.
    pub(super) fn for_link(name: &str) -> Option<Self> {
        let path = std::env::var_os(TRACE)?;
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).ok()?;
        Some(Self { file: Arc::new(file), link: name.into() })
    }

    pub(super) fn frame(&self, way: &str, frame: &Frame) {
        self.line(way, &format!("{:?}", frame.kind), frame.channel, &frame.body);
    }

    /// Frames as they are written.
    pub(super) fn bytes(&self, way: &str, mut bytes: &[u8]) {
        while let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() {
            let mut fields = &header[..];
            let (length, channel) = (fields.get_u32() as usize, fields.get_u32());
            let (body, next) = rest.split_at(length.min(rest.len()));
            let kind = Kind::from_byte(header[10]).map_or_else(|| header[10].to_string(), |kind| format!("{kind:?}"));
            self.line(way, &kind, channel, body);
            bytes = next;
        }
    }

    fn line(&self, way: &str, kind: &str, channel: u32, body: &[u8]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let (pid, link, length) = (std::process::id(), &self.link, body.len());
        let shown = body[..length.min(SHOWN)].escape_ascii();
        let line = format!("{now:.6} {pid} {link} {way} {kind} channel {channel}, {length} bytes: \"{shown}\"\n");
        let _ = (&*self.file).write_all(line.as_bytes());
    }
}
