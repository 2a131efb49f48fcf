//! Links over streams of bytes: pipes, sockets. A message is its length in 4 bytes, little-endian, and its bytes.

use std::io::{self, Read, Write};

use super::{MAX_MESSAGE, MessageReader, MessageWriter};

/// Writes messages to a stream.
#[derive(Debug)]
pub struct StreamWriter<W>(W);

impl<W: Write + Send> StreamWriter<W> {
    /// A writer over `stream`, which is flushed after each message.
    pub fn new(stream: W) -> Self {
        Self(stream)
    }
}

impl<W: Write + Send> MessageWriter for StreamWriter<W> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.write_all(&prefix(message)?)?;
        self.0.write_all(message)?;
        self.0.flush()
    }
}

/// Reads messages from a stream.
#[derive(Debug)]
pub struct StreamReader<R>(R);

impl<R: Read + Send> StreamReader<R> {
    /// A reader over `stream`.
    pub fn new(stream: R) -> Self {
        Self(stream)
    }
}

impl<R: Read + Send> MessageReader for StreamReader<R> {
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut head = [0; 4];
        if !read_head(&mut self.0, &mut head)? {
            return Ok(None);
        }
        let length = length(head)?;
        let mut message = Vec::new();
        // Grows as bytes arrive, whatever the length says.
        self.0.by_ref().take(length as u64).read_to_end(&mut message)?;
        if message.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Some(message)) }
    }
}

fn read_head(stream: &mut impl Read, head: &mut [u8; 4]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < head.len() {
        match stream.read(&mut head[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

pub(super) fn prefix(message: &[u8]) -> io::Result<[u8; 4]> {
    match u32::try_from(message.len()) {
        Ok(length) if message.len() <= MAX_MESSAGE => Ok(length.to_le_bytes()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "a message larger than a link carries")),
    }
}

pub(super) fn length(head: [u8; 4]) -> io::Result<usize> {
    match usize::try_from(u32::from_le_bytes(head)) {
        Ok(length) if length <= MAX_MESSAGE => Ok(length),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the other end announces a message that is too large")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_pass_and_what_is_none_is_an_error() {
        let mut bytes = Vec::new();
        let mut writer = StreamWriter::new(&mut bytes);
        writer.send(b"one").unwrap();
        writer.send(b"").unwrap();
        assert!(writer.send(&vec![0; MAX_MESSAGE + 1]).is_err());
        let mut reader = StreamReader::new(&bytes[..]);
        assert_eq!(reader.receive().unwrap().as_deref(), Some(&b"one"[..]));
        assert_eq!(reader.receive().unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(reader.receive().unwrap(), None);
        for cut in 1..7 {
            assert!(StreamReader::new(&bytes[..cut]).receive().is_err(), "{cut}");
        }
        assert!(StreamReader::new(&[0xff; 9][..]).receive().is_err());
    }
}
