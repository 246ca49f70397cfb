//! A socket sent over a socket: one byte with a file descriptor beside it.

use std::io::{Error, ErrorKind, IoSlice, IoSliceMut, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// Gives `end` away.
pub(crate) fn send(over: &UnixStream, end: impl AsFd) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    let ends = [end.as_fd()];
    if !beside.push(SendAncillaryMessage::ScmRights(&ends)) {
        return Err(Error::from(ErrorKind::OutOfMemory));
    }
    sendmsg(over, &[IoSlice::new(&[0])], &mut beside, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes the socket that was given.
pub(crate) fn receive(over: &UnixStream) -> Result<UnixStream> {
    receive_end(over).map(UnixStream::from)
}

/// Takes what was given.
pub(crate) fn receive_end(over: &UnixStream) -> Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(over, &mut [IoSliceMut::new(&mut byte)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    let mut end: Option<OwnedFd> = None;
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(mut ends) = message {
            end = ends.next();
        }
    }
    end.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))
}
