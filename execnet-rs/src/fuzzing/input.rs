//! Decisions made from bytes. Where none are left, all are 0.

use crate::value::Value;

pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let bytes = self.bytes(N);
        array[..bytes.len()].copy_from_slice(bytes);
        array
    }

    /// A number below `bound`, which is at most 256.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    pub(super) fn number(&mut self) -> usize {
        usize::from(u16::from_le_bytes(self.array()))
    }

    pub(super) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        head
    }

    /// As many bytes as the next one says.
    pub(super) fn some(&mut self) -> &'a [u8] {
        let count = self.byte();
        self.bytes(count.into())
    }
}

/// A stream as it may arrive: pieces of two lengths in turn, which `seed` decides.
pub(super) fn pieces(stream: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let widths = [1 + usize::from(seed % 8), 1 + usize::from(seed / 8)];
    let mut rest = stream;
    widths.into_iter().cycle().map_while(move |width| {
        let (piece, later) = rest.split_at(width.min(rest.len()));
        rest = later;
        (!piece.is_empty()).then_some(piece)
    })
}

/// A hello as another release could say it.
pub(super) fn hello(protocol: i64, initial: i64, check: &str) -> Value {
    Value::dict([
        ("protocol", Value::Int(protocol)),
        ("software", "somebody 1.0".into()),
        ("pid", Value::Int(77)),
        ("initial", Value::Int(initial)),
        ("message", Value::Int(1 << 30)),
        ("check", check.into()),
    ])
}
