//! This process's standard input and output as a link's stream.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;

use rustix::fs::FileType;
use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stdin, dup2_stdout, stderr, stdin, stdout};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

type Input = Box<dyn AsyncRead + Send + Unpin>;
type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Takes both, and puts the null device and standard error in their places.
pub(super) fn take() -> io::Result<(Input, Output)> {
    let (input, output) = (fcntl_dupfd_cloexec(stdin(), 3)?, fcntl_dupfd_cloexec(stdout(), 3)?);
    dup2_stdin(OpenOptions::new().read(true).open("/dev/null")?)?;
    dup2_stdout(stderr())?;
    Ok((reader(input)?, writer(output)?))
}

fn kind(descriptor: &OwnedFd) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(descriptor)?.st_mode))
}

fn socket(descriptor: OwnedFd) -> io::Result<UnixStream> {
    let socket = StdStream::from(descriptor);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

fn reader(descriptor: OwnedFd) -> io::Result<Input> {
    Ok(match kind(&descriptor)? {
        FileType::Fifo => Box::new(pipe::Receiver::from_owned_fd(descriptor)?),
        FileType::Socket => Box::new(socket(descriptor)?),
        _ => Box::new(tokio::fs::File::from_std(descriptor.into())),
    })
}

fn writer(descriptor: OwnedFd) -> io::Result<Output> {
    Ok(match kind(&descriptor)? {
        FileType::Fifo => Box::new(pipe::Sender::from_owned_fd(descriptor)?),
        FileType::Socket => Box::new(socket(descriptor)?),
        _ => Box::new(tokio::fs::File::from_std(descriptor.into())),
    })
}
